"""Alerts: which fatal alert a step of a connection has sent, for the exception that it ends in.

OpenSSL tells of it in no other way than by its callback for information, which it also calls for every state of a
handshake: some thirty times, each of which costs as much as a comparison.
"""

from wiretight._core.connection.connection cimport Connection
from wiretight._core.openssl.ssl cimport (
    SSL, SSL3_AL_FATAL, SSL_CB_WRITE_ALERT, SSL_CTX_set_info_callback, SSL_get_app_data,
)


cdef int install(Context context) noexcept:
    """OpenSSL: SSL_CTX_set_info_callback(3)"""
    SSL_CTX_set_info_callback(context.ctx, on_event)
    return 0


cdef void on_event(const SSL *ssl, int event, int value) noexcept nogil:
    """OpenSSL: SSL_CTX_set_info_callback(3)"""
    cdef void *connection
    if event == SSL_CB_WRITE_ALERT and value >> 8 == SSL3_AL_FATAL:
        connection = SSL_get_app_data(ssl)
        if connection != NULL:
            (<Connection>connection).sent_alert = value
