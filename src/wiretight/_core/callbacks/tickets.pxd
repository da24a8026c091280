"""Tickets: a server's are encrypted and opened with the keys of its context's ring."""

from wiretight._core.context.context cimport Context


cdef int install_again(Context context) except -1       # if it is a copy of a context that has a ring
