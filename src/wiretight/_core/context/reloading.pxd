"""Reloading: a context takes over what has been renewed: files of certificates, and a trust store that has grown."""

from libc.stdint cimport int64_t

from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings


# When something is to be looked at next, and what was reported since the last success.
cdef class Looks:
    cdef int64_t next           # in ns of the clock that begins() is called with
    cdef int64_t looking        # the process of the thread that looks, or -1: a child of fork() has no such thread
    cdef tuple reported

    cdef bint begins(self, int64_t now, object interval)    # whether this thread is the one to look
    cdef int at_once(self) except -1            # the next connection looks
    cdef int ends(self) except -1
    cdef bint is_news(self, object error)       # whether the same has not been reported since the last success
    cdef tuple report(self, tuple news)         # returns what it replaces; None: a success


cdef int report_unraisable(object error, object subject) except -1
# The context's for a new connection, after a look at its files if one is due
cdef Settings fresh_settings(Context context)
cdef Settings present_settings(Context context)         # with what its trust store has got since
