"""Ticket counts: how many a server sends, and why one that a client offers is not taken."""

from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.tally cimport wt_add
from wiretight._core.openssl.ssl cimport SSL, SSL_get_app_data
from wiretight._core.session.ticketkeys cimport can_encrypt


cdef void count_sent(SSL *ssl) noexcept nogil:
    """Not if the keys of the ring have all ended: then none is sent."""
    cdef void *connection = SSL_get_app_data(ssl)
    if connection == NULL:
        return
    if (<Connection>connection).ticket_keys is None or can_encrypt((<Connection>connection).ticket_keys):
        wt_add(&(<Connection>connection).account.tally.tickets_sent, 1)


cdef void note_offered(SSL *ssl, bint unknown_key, bint expired) noexcept nogil:
    """Of several in one ClientHello, the last that was looked at."""
    cdef void *connection = SSL_get_app_data(ssl)
    if connection != NULL:
        (<Connection>connection).account.offered = True
        (<Connection>connection).account.unknown_key = unknown_key
        (<Connection>connection).account.expired = expired
