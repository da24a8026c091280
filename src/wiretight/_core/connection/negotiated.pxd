"""Negotiated: a Connection that answers what the handshake agreed on."""

from wiretight._core.connection.connection cimport Connection
from wiretight._core.openssl.ssl cimport SSL, SSL_CIPHER

cdef enum:
    MOST_OCTETS = 255       # an ALPN protocol's name (RFC 7301)

cdef struct Octets:
    char octets[MOST_OCTETS]
    size_t size

# What the handshake agreed on; NULL or empty if there is no such thing. What a pointer points to lasts as long as the
# connection.
cdef struct Facts:
    const char *version
    const SSL_CIPHER *cipher
    const char *compression
    const char *group
    const char *signatures[2]       # ours, the peer's
    Octets protocol                 # of the application
    bint session_reused


cdef class Negotiated(Connection):
    cdef str signature_name(self, bint of_peer)
    cdef int look(self, Facts *facts) except -1


cdef bint has_protocol(const SSL *ssl) noexcept nogil      # of the application
