"""Channel: a connection as the transport of an event loop drives it. It never waits, and seldom raises."""

from libc.stdint cimport uint64_t

from wiretight._core.base.errors cimport Failure, Status
from wiretight._core.connection.stream cimport Operation, Stream


cdef class Channel:
    cdef Stream connection
    cdef object protocol
    cdef bint is_buffered           # the protocol provides the buffers
    cdef bint delivers              # incoming data goes to the protocol
    cdef bint accepts               # what is written is sent
    cdef bint discards              # incoming data is discarded: closing
    cdef bint ended                 # nothing is sent any more
    cdef bint edge_triggered        # what is left unread may not be reported again
    cdef object queue               # bytes that are not encrypted yet, in a deque; None until the kernel is full
    cdef size_t queued              # how many
    cdef size_t last_read
    cdef bint more                  # after the last step: see Connection.has_more()
    cdef uint64_t bytes_in          # of the wire, after that step: other threads may read, too
    cdef Failure failure            # of the last step that FAILED
    cdef bint has_failed            # the last step has, by itself
    cdef object raised              # by a callback, in a step
    cdef object __weakref__

    cdef int attempt(self, Operation *op, bint keeps_gil) except -1
    cdef Status attempt_locked(self, Operation *op) noexcept nogil
    cdef Stream bound(self)

    # Incoming
    cdef int ran_out(self) except -1
    cdef int read_ready(self) except -1
    cdef int receive(self) except -1
    cdef int receive_in_place(self) except -1
    cdef int read_step(self, char *into, size_t size, size_t *got) except -1
    cdef bint has_more(self) noexcept

    # Outgoing
    cdef int send_step(self, char *data, size_t size, size_t *taken) except -1
    cdef int enqueue(self, object data, size_t taken, bint first) except -1
    cdef size_t unsent(self) except? 0xFFFFFFFF
