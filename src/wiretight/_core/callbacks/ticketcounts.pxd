"""Ticket counts: how many a server sends, and why one that a client offers is not taken."""

from wiretight._core.openssl.ssl cimport SSL


cdef void count_sent(SSL *ssl) noexcept nogil
cdef void note_offered(SSL *ssl, bint unknown_key, bint expired) noexcept nogil
