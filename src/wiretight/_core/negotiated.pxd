"""Negotiated: a Connection that answers what the handshake agreed on."""

from wiretight._core.connection cimport Connection


cdef class Negotiated(Connection):
    cdef bint is_finished(self) noexcept
    cdef str signature_name(self, bint of_peer)
