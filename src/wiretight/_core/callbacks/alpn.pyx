"""ALPN (RFC 7301): the application protocols of a Context, and how a server chooses one."""

from libc.string cimport memcmp

from wiretight._core.base.errors cimport raise_queue
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport settings_of, trial, update_settings
from wiretight._core.context.settings cimport Settings, put_alpn
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CTX_set_alpn_select_cb, SSL_TLSEXT_ERR_NOACK, SSL_TLSEXT_ERR_OK, SSL_free, SSL_get_app_data,
    SSL_set_alpn_protos,
)


cdef int install(Context context) noexcept:
    """OpenSSL: SSL_CTX_set_alpn_select_cb(3)"""
    SSL_CTX_set_alpn_select_cb(context.ctx, on_application_protocols, NULL)
    return 0


cdef int set_alpn_protocols(Context context, bytes protocols) except -1:
    """OpenSSL: SSL_set_alpn_protos(3)"""
    cdef SSL *ssl = trial(context, settings_of(context))
    cdef int refused = SSL_set_alpn_protos(ssl, protocols, <unsigned int>len(protocols))    # zero is success here
    SSL_free(ssl)
    if refused:
        raise_queue("the list of ALPN protocols is not in the format of RFC 7301")
    return update_settings(context, put_alpn_protocols, protocols)


cdef int put_alpn_protocols(Context _, Settings settings, object protocols) except -1:
    return put_alpn(settings, protocols)


cdef int on_application_protocols(
    SSL *ssl, const unsigned char **selected, unsigned char *selected_length, const unsigned char *offered,
    unsigned int offered_length, void *_,
) noexcept nogil:
    """Selects the first of the server's protocols that the client offers; without a match, no protocol.

    OpenSSL: SSL_CTX_set_alpn_select_cb(3)
    """
    cdef void *connection = SSL_get_app_data(ssl)
    cdef const unsigned char *ours = (<Connection>connection).settings.values.alpn
    cdef unsigned int size = (<Connection>connection).settings.values.alpn_size
    cdef unsigned int i = 0, j
    while i < size:
        j = 0
        while j < offered_length:
            if ours[i] == offered[j] and memcmp(ours + i + 1, offered + j + 1, ours[i]) == 0:
                # In the client's list, which OpenSSL keeps until it has copied the name.
                selected[0] = offered + j + 1
                selected_length[0] = offered[j]
                return SSL_TLSEXT_ERR_OK
            j += offered[j] + 1
        i += ours[i] + 1
    return SSL_TLSEXT_ERR_NOACK     # as without a callback
