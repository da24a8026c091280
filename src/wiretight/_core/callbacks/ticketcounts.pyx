"""Ticket counts: how many a server sends, and why one that a client offers is not taken.

OpenSSL decides as it would without: what is heard of its decisions is only counted.
"""

from libc.time cimport time

from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.tally cimport wt_add
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_SESSION, SSL_SESSION_get_time, SSL_SESSION_get_timeout,
    SSL_TICKET_EMPTY, SSL_TICKET_NO_DECRYPT, SSL_TICKET_RETURN_IGNORE_RENEW, SSL_TICKET_RETURN_USE,
    SSL_TICKET_RETURN_USE_RENEW, SSL_TICKET_SUCCESS_RENEW, SSL_get_app_data,
)


cdef void count_sent(SSL *ssl) noexcept nogil:
    cdef void *connection = SSL_get_app_data(ssl)
    if connection != NULL:
        wt_add(&(<Connection>connection).account.tally.tickets_sent, 1)


cdef int on_offered(
    SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_length, int status, void *_
) noexcept nogil:
    """OpenSSL: SSL_CTX_set_session_ticket_cb(3), SSL_SESSION_get_time(3)"""
    cdef void *connection = SSL_get_app_data(ssl)
    if connection != NULL and status != SSL_TICKET_EMPTY:
        (<Connection>connection).account.offered = True
        (<Connection>connection).account.unknown_key = status == SSL_TICKET_NO_DECRYPT
        (<Connection>connection).account.expired = status != SSL_TICKET_NO_DECRYPT and (
            SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session) <= time(NULL))
    if status == SSL_TICKET_EMPTY or status == SSL_TICKET_NO_DECRYPT:
        return SSL_TICKET_RETURN_IGNORE_RENEW
    return SSL_TICKET_RETURN_USE_RENEW if status == SSL_TICKET_SUCCESS_RENEW else SSL_TICKET_RETURN_USE
