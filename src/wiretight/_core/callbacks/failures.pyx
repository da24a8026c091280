"""Failures: how a callback of OpenSSL runs Python in the middle of a verb, and where its exception goes.

OpenSSL calls with the connection's lock held and maybe without the GIL. So the lock is released and the GIL acquired.
No exception can propagate through OpenSSL's C code: the handshake continues, and the verb raises it later, or nobody.

The C side of a callback is installed once and never removed, because OpenSSL checks for it and calls it without a lock.
What it does is kept in the settings of the connection, which are those of its context when it was made, or after an SNI
switch those of the new one.
"""

from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable


cdef int call_python(void *connection, const char *feature, Body body, void *call, Failing failing) noexcept nogil:
    cdef int result
    (<Connection>connection).descriptor.leave_to_python()
    result = guarded(<Connection>connection, feature, body, call, failing)
    (<Connection>connection).descriptor.back_from_python()
    return result


cdef int guarded(
    Connection connection, const char *feature, Body body, void *call, Failing failing
) noexcept with gil:
    cdef object kept = None
    try:
        if feature != NULL:
            kept = connection.settings.kept.get(feature.decode("ascii"))
            if kept is None:
                return 0
        return body(connection, kept, call)
    except BaseException as error:
        if is_raised_by_verb(error, failing):
            connection.descriptor.keep_raised(error)
        else:
            PyErr_SetObject(type(error), error)
            PyErr_WriteUnraisable(kept)
    return -1


cdef bint is_raised_by_verb(object error, Failing failing) except -1:
    """What ends the program is, in any case: it must get to who ends it."""
    if failing == UNRAISABLE:
        return isinstance(error, (KeyboardInterrupt, SystemExit))
    return failing == FAILS_VERB or not isinstance(error, Exception)


cdef object subject_of(Connection connection):
    """The connection as a callback gets it: the program's object, or this one if it never had one; None if it is gone.
    """
    return connection if connection.owner_reference is None else connection.owner_reference()


cdef object callable_or_none(object callback, str refusal="not a callable object"):
    if callback is not None and not callable(callback):
        raise TypeError(refusal)
    return callback
