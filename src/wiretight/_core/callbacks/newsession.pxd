"""New sessions: the callback, and the store, that get the sessions which a Context's clients may resume."""

from wiretight._core.context.context cimport Context


cdef int set_new_session_callback(Context context, object callback) except -1
cdef object new_session_callback(Context context)
cdef int set_session_store(Context context, object store) except -1
cdef object session_store(Context context)
