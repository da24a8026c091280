"""ALPN (RFC 7301): the application protocols of a Context, and how a server chooses one."""

from libc.string cimport memcmp

from wiretight._core.base.coroutines cimport no_coroutine, no_coroutine_function
from wiretight._core.base.errors cimport raise_queue
from wiretight._core.callbacks.failures cimport FAILS_VERB, call_python, callable_or_none, subject_of
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport settings_of, trial, update_settings
from wiretight._core.context.settings cimport Settings, put_alpn
from wiretight._core.context.versions cimport PROTOCOL_TLS_CLIENT
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CTX_set_alpn_select_cb, SSL_TLSEXT_ERR_ALERT_FATAL, SSL_TLSEXT_ERR_NOACK, SSL_TLSEXT_ERR_OK, SSL_free,
    SSL_get_app_data, SSL_set_alpn_protos,
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


def set_alpn_callback(Context context not None, callback, /):
    """Sets it, or None. Raises TypeError if it is not callable or is a coroutine function, ValueError for a client's
    context. Since 0.1. OpenSSL: SSL_CTX_set_alpn_select_cb(3)
    """
    callable_or_none(callback, f"alpn_callback must be callable or None, not {type(callback).__name__}")
    if callback is not None and context._protocol == PROTOCOL_TLS_CLIENT:
        raise ValueError("alpn_callback is for servers: a client offers the protocols of set_alpn_protocols()")
    update_settings(context, put_alpn_callback, no_coroutine_function(callback, "alpn_callback"))


cdef int put_alpn_callback(Context _, Settings settings, object callback) except -1:
    settings.values.has_alpn_callback = callback is not None
    return settings.keep("alpn_callback", callback)


def alpn_callback(Context context not None, /):
    """It, or None. Since 0.1."""
    return settings_of(context).kept.get("alpn_callback")


def set_alpn_required(Context context not None, bint value, /):
    """Whether a handshake without an application protocol fails. Since 0.1."""
    update_settings(context, put_alpn_required, value)


cdef int put_alpn_required(Context _, Settings settings, object value) except -1:
    settings.values.alpn_required = value
    return 0


def alpn_required(Context context not None, /):
    """Whether it does. Since 0.1."""
    return bool(settings_of(context).values.alpn_required)


# OpenSSL's arguments.
cdef struct Offer:
    const unsigned char **selected
    unsigned char *selected_length
    const unsigned char *octets
    unsigned int size


cdef int on_application_protocols(
    SSL *ssl, const unsigned char **selected, unsigned char *selected_length, const unsigned char *offered,
    unsigned int offered_length, void *_,
) noexcept nogil:
    """Selects what the callback says, or the first of the server's protocols that the client offers, or none.

    OpenSSL: SSL_CTX_set_alpn_select_cb(3)
    """
    cdef void *connection = SSL_get_app_data(ssl)
    cdef Offer offer
    cdef int result
    cdef const unsigned char *ours = (<Connection>connection).settings.values.alpn
    cdef unsigned int size = (<Connection>connection).settings.values.alpn_size
    cdef unsigned int i = 0, j
    if (<Connection>connection).settings.values.has_alpn_callback:
        offer.selected = selected
        offer.selected_length = selected_length
        offer.octets = offered
        offer.size = offered_length
        result = call_python(connection, "alpn_callback", select, &offer, FAILS_VERB)
        if result > 0:
            return SSL_TLSEXT_ERR_OK
        return SSL_TLSEXT_ERR_ALERT_FATAL if result < 0 else without(connection)
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
    return without(connection)


cdef int without(void *connection) noexcept nogil:
    """What becomes of a client with whom there is no protocol: as without a callback, unless one is required."""
    if (<Connection>connection).settings.values.alpn_required:
        return SSL_TLSEXT_ERR_ALERT_FATAL
    return SSL_TLSEXT_ERR_NOACK


cdef int select(Connection connection, object callback, void *argument) except -1:
    """1 if the callback has selected a protocol, which is in the client's list, as OpenSSL keeps that."""
    cdef Offer *offer = <Offer *>argument
    cdef unsigned int at = 0
    cdef list names = []
    subject = subject_of(connection)
    if subject is None:
        raise ReferenceError("the connection is gone, and alpn_callback cannot be asked about it")
    while at < offer.size:
        names.append(offer.octets[at + 1:at + 1 + offer.octets[at]].decode("latin-1"))
        at += offer.octets[at] + 1
    answer = no_coroutine(callback(subject, tuple(names)), "alpn_callback")
    if answer is None:
        return 0
    if not isinstance(answer, str):
        raise TypeError(f"alpn_callback must return a protocol or None, not {type(answer).__name__}")
    at = 0
    for name in names:
        if name == answer:
            offer.selected[0] = offer.octets + at + 1
            offer.selected_length[0] = offer.octets[at]
            return 1
        at += offer.octets[at] + 1
    raise ValueError(f"alpn_callback must return one of the protocols that the client offers, not {answer!r}")
