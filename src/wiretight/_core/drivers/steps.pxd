"""Steps: a connection for a caller that never waits. Each call advances it by one step, and returns the outcome."""

from libc.stdint cimport uint64_t

from wiretight._core.base.errors cimport Failure, Status
from wiretight._core.connection.stream cimport Operation, Stream


cdef class Steps:
    cdef Stream connection
    cdef bint edge_triggered        # what is left unread is not reported again
    cdef bint stops_in_error        # nor is anything, of a descriptor in error that has been reported
    cdef bint more                  # after the last step: see Stream.has_more()
    cdef uint64_t bytes_in          # of the wire, after that step: other threads may read, too
    cdef Failure failure            # of the last step that FAILED
    cdef bint has_failed            # the last step has, by itself
    cdef object raised              # by a callback, in a step
    cdef object fileno              # of a socket that the program may close; None: there is none
    cdef bint lent                  # to another thread, for a step
    cdef unsigned lent_in           # the wt_process in which that thread is
    cdef int duplicate              # of the descriptor, for that thread; 0: none
    cdef object __weakref__

    cdef Stream bound(self)
    cdef bint is_closed(self) except -1
    cdef int attempt(self, Operation *op, bint keeps_gil) except -1
    cdef Status attempt_locked(self, Operation *op) noexcept nogil
    cdef int ran_out(self) except -1
    cdef object failure_of_step(self)
    cdef bint has_more(self) noexcept
    cdef bint is_in_error(self) noexcept
    cdef bint is_lent(self) noexcept


cdef int notify(Stream connection, bint outwards=*) except -1
