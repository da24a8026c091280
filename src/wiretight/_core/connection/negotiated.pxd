"""Negotiated: a Connection that answers what the handshake agreed on."""

from wiretight._core.connection.connection cimport Connection, Question


cdef class Negotiated(Connection):
    cdef str signature_name(self, bint of_peer)
    cdef str name(self, Question question)
