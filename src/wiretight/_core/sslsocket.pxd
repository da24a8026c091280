"""_SSLSocket: a connection with the shape of CPython's `_ssl._SSLSocket`. It waits, and it raises."""

from libc.stdint cimport int64_t

from wiretight._core.context cimport Context
from wiretight._core.errors cimport Status
from wiretight._core.backlog cimport Writing
from wiretight._core.negotiated cimport Negotiated

cdef enum Verb:
    HANDSHAKE
    READ
    WRITE
    SHUTDOWN


cdef class _SSLSocket(Negotiated):
    cdef object socket_reference        # weak; None over BIOs
    cdef object owner_reference
    cdef bytes unread                   # read in a call that a callback's exception ended: the next read has it
    cdef size_t last_read
    cdef int64_t last_timeout

    cdef Status step(self, Verb verb, char *data, size_t size, size_t *got, Writing *writing) noexcept nogil
    cdef size_t drive(self, Verb verb, char *data, size_t size) except? 0xFFFFFFFF
    cdef size_t take_unread(self, char *into, size_t size) except? 0xFFFFFFFF
    cdef object told(self, size_t count)
    cdef object underlying_socket(self)
    cdef int64_t timeout_of(self, object sock) except? -2
    cdef object exception_for(self, Status status, Verb verb)


cdef _SSLSocket over_socket(
    Context context, object sock, bint server_side, object hostname, object owner, object session
)
cdef _SSLSocket over_bios(
    Context context, object incoming, object outgoing, bint server_side, object hostname, object owner, object session
)
