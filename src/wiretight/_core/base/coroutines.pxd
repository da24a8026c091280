"""Coroutines: what a callback that nobody awaits must not be, and not return."""

cpdef object no_coroutine_function(object callback, str name)
cpdef object no_coroutine(object answer, str name, bint decides=*)
cdef int close_coroutine(object answer) except -1
