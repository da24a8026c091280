"""Channel: a connection as the transport of an event loop drives it. It never waits, and seldom raises."""

from wiretight._core.connection.stream cimport Operation
from wiretight._core.drivers.steps cimport Steps


cdef class Channel(Steps):
    cdef object protocol
    cdef bint is_buffered           # the protocol provides the buffers
    cdef bint delivers              # incoming data goes to the protocol
    cdef bint accepts               # what is written is sent
    cdef bint discards              # incoming data is discarded: closing
    cdef bint ended                 # nothing is sent any more
    cdef object queue               # bytes that are not encrypted yet, in a deque; None until the kernel is full
    cdef size_t queued              # how many
    cdef size_t last_read

    # Incoming
    cdef int read_ready(self) except -1
    cdef int receive(self) except -1
    cdef int receive_in_place(self) except -1
    cdef int read_step(self, char *into, size_t size, size_t *got) except -1

    # Outgoing
    cdef int send_step(self, char *data, size_t size, size_t *taken) except -1
    cdef int send_op(self, Operation *op, size_t *taken) except -1
    cdef int tell_of_write(self, int status) except -1
    cdef int enqueue(self, object data, size_t taken, bint first) except -1
    cdef size_t unsent(self) except? 0xFFFFFFFF
