"""Key updates: new keys for one direction of a connection of TLS 1.3 (RFC 8446, 4.6.3).

OpenSSL updates no key by itself, and refuses to while a record of it waits for the transport. None ever does, because
the wire takes them all. So a KeyUpdate goes to its place in the stream, behind the backlog, and all that follows it has
new keys.
"""

from wiretight._core.base.errors cimport forget_errors
from wiretight._core.openssl.err cimport ERR_LIB_SSL, ERR_raise
from wiretight._core.openssl.ssl cimport (
    SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED, SSL_R_PROTOCOL_IS_SHUTDOWN, SSL_SENT_SHUTDOWN,
    SSL_do_handshake, SSL_get_shutdown, SSL_is_init_finished, SSL_key_update, SSL_version, TLS1_3_VERSION,
)

cdef extern from "compat.h" nogil:
    bint wt_in_error_state(const SSL *ssl)


cdef bint are_due(SSL *ssl, Settings settings, uint64_t sealed) noexcept nogil:
    """Whether the next record gets new keys. While a server waits for a certificate that it has asked for, none does.

    OpenSSL: SSL_is_init_finished(3)
    """
    return (
        sealed >= settings.values.key_update_after and SSL_version(ssl) >= TLS1_3_VERSION and SSL_is_init_finished(ssl)
    )


cdef int send_key_update(SSL *ssl, bint asks_peer) noexcept nogil:
    """What OpenSSL returns, for SSL_get_error().

    OpenSSL: SSL_key_update(3), SSL_do_handshake(3)
    """
    forget_errors()
    if wt_in_error_state(ssl):
        return SSL_do_handshake(ssl)        # has the answer of a write
    if SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN:
        ERR_raise(ERR_LIB_SSL, SSL_R_PROTOCOL_IS_SHUTDOWN)      # OpenSSL checks that for data only
        return -1
    if SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED if asks_peer else SSL_KEY_UPDATE_NOT_REQUESTED) <= 0:
        return -1
    return SSL_do_handshake(ssl)
