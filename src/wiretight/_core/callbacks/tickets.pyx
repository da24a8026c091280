"""Tickets: a server's are encrypted and opened with the keys of its context's ring.

OpenSSL asks the context that a connection was made with, whichever sni_callback chose since. So the keys are those that
the connection took when it was made.
"""

cimport cython
from libc.math cimport HUGE_VAL

from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.settings cimport Hook, Settings
from wiretight._core.context.versions cimport PROTOCOL_TLS_CLIENT
from wiretight._core.openssl.evp cimport EVP_CIPHER_CTX, EVP_MAC_CTX
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CTX, SSL_CTX_set_tlsext_ticket_key_evp_cb, SSL_get_app_data, SSL_version, TLS1_3_VERSION,
)
from wiretight._core.session.ticketkeys cimport KeyRing, KeySet, decrypt_ticket, encrypt_ticket, new_key_set

# For connections that were made without a ring. Set before the callback is installed anywhere, and never again: that
# reads it without a lock.
cdef KeySet fallback = None
cdef object GUARD = object()


def ticket_keys(Context context not None, /):
    """The ring, or None. Since 0.1."""
    return settings_of(context).kept.get("ticket_keys")


def set_ticket_keys(Context context not None, KeyRing ring, /):
    """A ring for later connections, or None. Raises ValueError on a context of a client. Since 0.1."""
    if ring is not None and context._protocol == PROTOCOL_TLS_CLIENT:
        raise ValueError("ticket_keys is for servers: it needs a context made with PROTOCOL_TLS_SERVER")
    if ring is not None:
        make_fallback()
    update_settings(context, put_ring, ring)


cdef int put_ring(Context _, Settings settings, object ring) except -1:
    settings.hook(TICKETED, ring is not None)
    return settings.keep("ticket_keys", ring)


@cython.final
cdef class TicketedHook(Hook):
    cdef bint install(self, SSL_CTX *ctx) noexcept:
        """OpenSSL: SSL_CTX_set_tlsext_ticket_key_evp_cb(3)"""
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket)
        return True


cdef TicketedHook TICKETED = TicketedHook()


cdef int make_fallback() except -1:
    """One key for the process, as OpenSSL has one for each SSL_CTX."""
    global fallback
    cdef KeySet made
    if fallback is None:
        made = new_key_set(0).with_new_key(0, HUGE_VAL, HUGE_VAL, HUGE_VAL)
        with cython.critical_section(GUARD):
            if fallback is None:
                fallback = made
    return 0


cdef int on_ticket(
    SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypts
) noexcept nogil:
    """OpenSSL: SSL_CTX_set_tlsext_ticket_key_evp_cb(3)"""
    cdef void *connection = SSL_get_app_data(ssl)
    if connection == NULL:
        return 0
    if (<Connection>connection).ticket_keys is None:    # it was made without a ring
        return answer(<Connection>connection, fallback, name, iv, cipher, mac, encrypts)
    return answer(<Connection>connection, (<Connection>connection).ticket_keys, name, iv, cipher, mac, encrypts)


cdef int answer(
    Connection connection, KeySet keys, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int encrypts
) noexcept nogil:
    cdef const char *properties = connection.settings.values.properties
    if encrypts:
        return encrypt_ticket(keys, properties, name, iv, cipher, mac)
    # A ticket of TLS 1.3 is used once, so that its client needs another.
    return decrypt_ticket(keys, properties, name, iv, cipher, mac, SSL_version(connection.ssl) >= TLS1_3_VERSION)
