"""Ticket counts: how many a server sends, and why one that a client offers is not taken."""

from wiretight._core.openssl.ssl cimport SSL, SSL_SESSION


cdef void count_sent(SSL *ssl) noexcept nogil
cdef int on_offered(
    SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_length, int status, void *
) noexcept nogil
