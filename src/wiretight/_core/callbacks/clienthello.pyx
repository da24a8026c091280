"""The server name (RFC 6066, 3) that a client requests: the callback that chooses a context by it.

OpenSSL has a callback for the name alone, but calls it after choosing the version and resuming a session: too late for
the settings of the new context. So sni_callback is called from the callback for the whole ClientHello, before both.

An exception in it ends the handshake with an alert and goes to sys.unraisablehook, as with `ssl`: the verb itself
raises the SSLError of the alert.
"""

from libc.string cimport memchr

from wiretight._core.callbacks.failures cimport UNRAISABLE, call_python, callable_or_none, subject_of
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport update_settings
from wiretight._core.context.settings cimport Settings
from wiretight._core.context.versions cimport PROTOCOL_TLS_CLIENT
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_AD_HANDSHAKE_FAILURE, SSL_AD_INTERNAL_ERROR, SSL_CLIENT_HELLO_ERROR, SSL_CLIENT_HELLO_SUCCESS,
    SSL_CTX_set_client_hello_cb, SSL_CTX_set_tlsext_servername_callback, SSL_TLSEXT_ERR_NOACK, SSL_TLSEXT_ERR_OK,
    SSL_client_hello_get0_ext, SSL_get_app_data, SSL_set_session_id_context, TLSEXT_MAXLEN_host_name,
    TLSEXT_NAMETYPE_host_name, TLSEXT_TYPE_server_name,
)

cdef enum:
    LIST_HEADER = 2
    NAME_HEADER = 3


# OpenSSL's arguments, and the place for the alert.
cdef struct Hello:
    SSL *ssl
    int *alert


cdef int install(Context context) noexcept:
    """OpenSSL: SSL_CTX_set_client_hello_cb(3), SSL_CTX_set_tlsext_servername_callback(3)"""
    if context._protocol != PROTOCOL_TLS_CLIENT:
        SSL_CTX_set_client_hello_cb(context.ctx, on_client_hello, NULL)
        SSL_CTX_set_tlsext_servername_callback(context.ctx, acknowledge)
    return 0


cdef int set_sni_callback(Context context, object callback) except -1:
    if context._protocol == PROTOCOL_TLS_CLIENT:
        raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
    return update_settings(context, put_sni_callback, callable_or_none(callback))


cdef int put_sni_callback(Context _, Settings settings, object callback) except -1:
    settings.values.has_sni_callback = callback is not None
    return settings.keep("sni_callback", callback)


cdef int acknowledge(SSL *ssl, int *alert, void *_) noexcept nogil:
    """Acknowledges the server name to the client, if a callback has seen it."""
    return SSL_TLSEXT_ERR_OK if (<Connection>SSL_get_app_data(ssl)).looked_at_name else SSL_TLSEXT_ERR_NOACK


cdef int on_client_hello(SSL *ssl, int *alert, void *_) noexcept nogil:
    """Called for every ClientHello: a second one, after a HelloRetryRequest, goes to the context chosen by the first.

    OpenSSL: SSL_CTX_set_client_hello_cb(3)
    """
    cdef void *connection = SSL_get_app_data(ssl)
    cdef Hello hello
    if not (<Connection>connection).settings.values.has_sni_callback:
        return SSL_CLIENT_HELLO_SUCCESS
    if not is_well_formed(ssl):
        # OpenSSL rejects it by itself once it has looked for a session. It must not find one, because then it would
        # ignore the name.
        SSL_set_session_id_context(ssl, b"malformed server name", 21)
        return SSL_CLIENT_HELLO_SUCCESS
    hello.ssl = ssl
    hello.alert = alert
    alert[0] = SSL_AD_INTERNAL_ERROR
    return max(SSL_CLIENT_HELLO_ERROR, call_python(connection, "sni_callback", ask, &hello, UNRAISABLE))


cdef bint is_well_formed(SSL *ssl) noexcept nogil:
    """Whether OpenSSL accepts the extension: exactly one name, or no extension at all.

    OpenSSL: SSL_client_hello_get0_ext(3)
    """
    cdef const unsigned char *octets = NULL
    cdef size_t size = 0
    if not SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &octets, &size):
        return True
    if size < LIST_HEADER + NAME_HEADER or number(octets) != size - LIST_HEADER:
        return False
    octets += LIST_HEADER
    size -= LIST_HEADER + NAME_HEADER
    if octets[0] != TLSEXT_NAMETYPE_host_name or number(octets + 1) != size:
        return False
    return size <= <size_t>TLSEXT_MAXLEN_host_name and memchr(octets + NAME_HEADER, 0, size) == NULL


cdef int ask(Connection connection, object callback, void *call) except -1:
    cdef Hello *hello = <Hello *>call
    subject = subject_of(connection)
    if subject is None:
        return SSL_CLIENT_HELLO_ERROR
    connection.requested_name = requested_name(hello.ssl)
    connection.looked_at_name = True
    hello.alert[0] = SSL_AD_HANDSHAKE_FAILURE
    connection.is_undecided = True
    try:
        answer = callback(subject, connection.requested_name, connection._context)
    finally:
        connection.is_undecided = False
    hello.alert[0] = SSL_AD_INTERNAL_ERROR
    if answer is None:
        connection.bind_sessions()
        return SSL_CLIENT_HELLO_SUCCESS
    hello.alert[0] = alert_number(answer)
    return SSL_CLIENT_HELLO_ERROR


cdef str requested_name(SSL *ssl):
    """The name that the client sent in its well-formed extension, or None.

    OpenSSL: SSL_client_hello_get0_ext(3)
    """
    cdef const unsigned char *octets = NULL
    cdef size_t size = 0
    if not SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &octets, &size):
        return None
    return octets[LIST_HEADER + NAME_HEADER:size].decode("ascii")


cdef size_t number(const unsigned char *octets) noexcept nogil:
    return octets[0] << 8 | octets[1]


cdef int alert_number(object answer) except -1:
    if not isinstance(answer, int):
        raise TypeError(f"sni_callback must return None or the number of an alert, not {type(answer).__name__}")
    cdef unsigned char number = answer
    return number
