"""Key updates: new keys for one direction of a connection of TLS 1.3 (RFC 8446, 4.6.3)."""

from libc.stdint cimport uint64_t

from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.ssl cimport SSL

cdef bint are_due(SSL *ssl, Settings settings, uint64_t sealed) noexcept nogil
cdef int send_key_update(SSL *ssl, bint asks_peer) noexcept nogil
