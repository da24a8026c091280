"""The server name (RFC 6066, 3) that a client asks for: the callback that chooses a context by it.

OpenSSL has a callback for the name alone, but makes it when the version has been chosen and a session has been resumed:
too late for the new context's say. So it is made from the callback for the whole ClientHello, which comes before both.

What it raises ends the handshake with an alert, and sys.unraisablehook gets it, as with `ssl`: the verb itself raises
the SSLError of the alert.
"""

from wiretight._core.callbacks cimport callable_or_none, report_unraisable
from wiretight._core.context cimport PROTOCOL_TLS_CLIENT
from wiretight._core.negotiated cimport Negotiated
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_AD_DECODE_ERROR, SSL_AD_HANDSHAKE_FAILURE, SSL_AD_INTERNAL_ERROR, SSL_AD_UNRECOGNIZED_NAME,
    SSL_CLIENT_HELLO_ERROR, SSL_CLIENT_HELLO_SUCCESS, SSL_CTX_set_client_hello_cb,
    SSL_CTX_set_tlsext_servername_callback, SSL_TLSEXT_ERR_OK, SSL_client_hello_get0_ext, SSL_get_app_data,
    TLSEXT_MAXLEN_host_name, TLSEXT_NAMETYPE_host_name, TLSEXT_TYPE_server_name,
)

cdef enum:
    LIST_HEADER = 2
    NAME_HEADER = 3


cdef int set_sni_callback(Context context, object callback) except -1:
    """OpenSSL: SSL_CTX_set_client_hello_cb(3), SSL_CTX_set_tlsext_servername_callback(3)"""
    if context._protocol == PROTOCOL_TLS_CLIENT:
        raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
    context._sni_callback = callable_or_none(callback)
    if callback is None:
        SSL_CTX_set_client_hello_cb(context.ctx, NULL, NULL)
        SSL_CTX_set_tlsext_servername_callback(context.ctx, NULL)
    else:
        SSL_CTX_set_client_hello_cb(context.ctx, on_client_hello, NULL)
        SSL_CTX_set_tlsext_servername_callback(context.ctx, acknowledge)
    return 0


cdef int acknowledge(SSL *ssl, int *alert, void *_) noexcept nogil:
    """Tells the client that its name was looked at."""
    return SSL_TLSEXT_ERR_OK


cdef int on_client_hello(SSL *ssl, int *alert, void *_) noexcept nogil:
    """Called for every ClientHello: a second one, after a HelloRetryRequest, goes to the context chosen by the first.

    OpenSSL: SSL_CTX_set_client_hello_cb(3)
    """
    cdef void *connection = SSL_get_app_data(ssl)
    cdef int answer
    (<Negotiated>connection).wire.leave_to_python()
    answer = choose_context(<Negotiated>connection, ssl, alert)
    (<Negotiated>connection).wire.back_from_python()
    return answer


cdef int choose_context(Negotiated connection, SSL *ssl, int *alert) noexcept with gil:
    cdef object callback = connection._context._sni_callback
    alert[0] = SSL_AD_INTERNAL_ERROR
    try:
        if callback is None:
            return SSL_CLIENT_HELLO_SUCCESS
        subject = connection.callback_subject
        if subject is None or not read_name(ssl, connection, alert):
            return SSL_CLIENT_HELLO_ERROR
        alert[0] = SSL_AD_HANDSHAKE_FAILURE
        answer = callback(subject, connection.requested_name, connection._context)
        alert[0] = SSL_AD_INTERNAL_ERROR
        if answer is None:
            connection.bind_sessions()
            return SSL_CLIENT_HELLO_SUCCESS
        alert[0] = alert_number(answer)
    except BaseException as error:
        report_unraisable(error, callback)
    return SSL_CLIENT_HELLO_ERROR


cdef bint read_name(SSL *ssl, Negotiated connection, int *alert) except -1:
    """Takes the name down: None if the client sent none. False, with an alert, where the extension is not well formed.

    OpenSSL: SSL_client_hello_get0_ext(3)
    """
    cdef const unsigned char *octets = NULL
    cdef size_t size = 0
    connection.requested_name = None
    if not SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &octets, &size):
        return True
    # The length of the list, and of its first entry the type and the length; OpenSSL too takes no second one.
    if size < LIST_HEADER + NAME_HEADER or number(octets) != size - LIST_HEADER:
        alert[0] = SSL_AD_DECODE_ERROR
        return False
    octets += LIST_HEADER
    size -= LIST_HEADER + NAME_HEADER
    if octets[0] != TLSEXT_NAMETYPE_host_name or number(octets + 1) > size:
        alert[0] = SSL_AD_DECODE_ERROR
        return False
    name = octets[NAME_HEADER:NAME_HEADER + number(octets + 1)]
    if len(name) > TLSEXT_MAXLEN_host_name or b"\0" in name or not name.isascii():
        alert[0] = SSL_AD_UNRECOGNIZED_NAME
        return False
    connection.requested_name = name.decode("ascii")
    return True


cdef size_t number(const unsigned char *octets) noexcept nogil:
    return octets[0] << 8 | octets[1]


cdef int alert_number(object answer) except -1:
    if not isinstance(answer, int):
        raise TypeError(f"sni_callback must return None or the number of an alert, not {type(answer).__name__}")
    cdef unsigned char number = answer
    return number
