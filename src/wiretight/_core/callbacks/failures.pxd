"""Failures: how a callback of OpenSSL runs Python in the middle of a verb, and where its exception goes."""

from wiretight._core.connection.connection cimport Connection

# The Python side of a callback. `kept` is what the settings keep for its feature, `call` OpenSSL's arguments.
ctypedef int (*Body)(Connection connection, object kept, void *call) except -1

cdef enum Failing:
    FAILS_VERB      # the verb raises it, once OpenSSL has returned
    UNRAISABLE      # sys.unraisablehook gets it, as with `ssl`
    REPORTED        # sys.unraisablehook gets an Exception, and the verb raises all else


# What `body` returns; 0 if nothing is kept for `feature`, -1 if it raised. NULL: it looks for itself
cdef int call_python(void *connection, const char *feature, Body body, void *call, Failing failing) noexcept nogil
cdef object subject_of(Connection connection)
cdef object callable_or_none(object callback, str refusal=*)
