"""The ClientHello: the callback that chooses by all of it, and the one that chooses a context by the server name in it.

OpenSSL has a callback for the name alone, but calls it after choosing the version and resuming a session: too late for
the settings of another context. So both are called from the callback for the whole ClientHello, before either.

An exception in sni_callback goes to sys.unraisablehook, as with `ssl`, and the verb itself raises the SSLError of the
alert. That of client_hello_callback is the verb's.
"""

from libc.string cimport memchr, strcmp

cimport cython

from wiretight._core.base.coroutines cimport no_coroutine
from wiretight._core.callbacks.failures cimport FAILS_VERB, UNRAISABLE, call_python, callable_or_none, subject_of
from wiretight._core.callbacks.messages cimport hook_messages
from wiretight._core.callbacks.suspension cimport PENDING, SUSPENDED, decision
from wiretight._core.connection.connection cimport Connection
from wiretight._core.connection.virtualhost cimport choose_context, choose_credential
from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.material cimport Credential
from wiretight._core.context.settings cimport Hook, Settings
from wiretight._core.context.versions cimport PROTOCOL_TLS_CLIENT
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_AD_DECODE_ERROR, SSL_AD_HANDSHAKE_FAILURE, SSL_AD_INTERNAL_ERROR, SSL_AD_NO_APPLICATION_PROTOCOL,
    SSL_CLIENT_HELLO_ERROR, SSL_CLIENT_HELLO_RETRY, SSL_CLIENT_HELLO_SUCCESS, SSL_CTX, SSL_CTX_set_client_hello_cb,
    SSL_CTX_set_tlsext_servername_callback, SSL_TLSEXT_ERR_NOACK, SSL_TLSEXT_ERR_OK, SSL_alert_desc_string_long,
    SSL_client_hello_get0_ext, SSL_get_app_data, SSL_set_session_id_context, SSL_version, TLS1_3_VERSION,
    TLSEXT_MAXLEN_host_name, TLSEXT_NAMETYPE_host_name, TLSEXT_TYPE_application_layer_protocol_negotiation,
    TLSEXT_TYPE_server_name,
)

cdef enum:
    LIST_HEADER = 2
    NAME_HEADER = 3


# OpenSSL's arguments, and the place for the alert.
cdef struct Hello:
    SSL *ssl
    int *alert


cdef int install(Context context) noexcept:
    """OpenSSL: SSL_CTX_set_client_hello_cb(3)"""
    if context._protocol != PROTOCOL_TLS_CLIENT:
        SSL_CTX_set_client_hello_cb(context.ctx, on_client_hello, NULL)
    return 0


@cython.final
cdef class NamedHook(Hook):
    cdef bint install(self, SSL_CTX *ctx) noexcept:
        """Not before it is needed: with a callback, OpenSSL expects another certificate from it, and negotiates TLS 1.3
        even if those that it has, such as one with a Brainpool curve, serve only for TLS 1.2.

        OpenSSL: SSL_CTX_set_tlsext_servername_callback(3)
        """
        SSL_CTX_set_tlsext_servername_callback(ctx, acknowledge)
        return True


cdef NamedHook NAMED = NamedHook()


cdef int hook_names(Settings settings) except -1:
    return settings.hook(NAMED, settings.values.has_sni_callback or settings.values.has_client_hello_callback)


cdef int set_sni_callback(Context context, object callback) except -1:
    if context._protocol == PROTOCOL_TLS_CLIENT:
        raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
    return update_settings(context, put_sni_callback, callable_or_none(callback))


cdef int put_sni_callback(Context _, Settings settings, object callback) except -1:
    settings.values.has_sni_callback = callback is not None
    hook_names(settings)
    return settings.keep("sni_callback", callback)


# What makes a ClientHello of a message and whether it is the second one: the face knows, see read_with().
cdef object read_hello = None


def read_with(parse, /):
    """Has client_hello_callback be called with parse(message, is_retry), which raises ValueError. Since 0.1."""
    global read_hello
    read_hello = parse


def set_client_hello_callback(Context context not None, callback, /):
    """Sets it, or None. Raises TypeError if it is not callable, ValueError for a client's context. Since 0.1.

    OpenSSL: SSL_CTX_set_client_hello_cb(3)
    """
    callable_or_none(callback, f"client_hello_callback must be callable or None, not {type(callback).__name__}")
    if callback is not None and context._protocol == PROTOCOL_TLS_CLIENT:
        raise ValueError("client_hello_callback is for servers: it needs a context made with PROTOCOL_TLS_SERVER")
    update_settings(context, put_client_hello_callback, callback)


cdef int put_client_hello_callback(Context _, Settings settings, object callback) except -1:
    settings.values.has_client_hello_callback = callback is not None
    settings.keep("client_hello_callback", callback)
    hook_names(settings)
    return hook_messages(settings)


def client_hello_callback(Context context not None, /):
    """It, or None. Since 0.1."""
    return settings_of(context).kept.get("client_hello_callback")


# --- A handshake -----------------------------------------------------------------------------------------------------
cdef int acknowledge(SSL *ssl, int *alert, void *_) noexcept nogil:
    """Acknowledges the server name to the client, if a callback has seen it."""
    return SSL_TLSEXT_ERR_OK if (<Connection>SSL_get_app_data(ssl)).looked_at_name else SSL_TLSEXT_ERR_NOACK


cdef int on_client_hello(SSL *ssl, int *alert, void *_) noexcept nogil:
    """Called for every ClientHello: a second one, after a HelloRetryRequest, goes to the context chosen by the first.

    Called again for the same one after SSL_CLIENT_HELLO_RETRY.

    OpenSSL: SSL_CTX_set_client_hello_cb(3)
    """
    cdef void *connection = SSL_get_app_data(ssl)
    cdef Hello hello
    cdef int result
    hello.ssl = ssl
    hello.alert = alert
    if (
        (<Connection>connection).settings.values.has_client_hello_callback
        or (<Connection>connection).settings.values.has_sni_callback
    ) and not is_well_formed(ssl):
        # OpenSSL rejects it by itself once it has looked for a session. It must not find one, because then it would
        # ignore the name.
        SSL_set_session_id_context(ssl, b"malformed server name", 21)
        return SSL_CLIENT_HELLO_SUCCESS
    alert[0] = SSL_AD_INTERNAL_ERROR
    if (<Connection>connection).settings.values.has_client_hello_callback:
        result = call_python(connection, "client_hello_callback", consult, &hello, FAILS_VERB)
        if result == SUSPENDED:
            return SSL_CLIENT_HELLO_RETRY
        if result != SSL_CLIENT_HELLO_SUCCESS:
            return SSL_CLIENT_HELLO_ERROR
    # Of the context that it has chosen.
    if (<Connection>connection).settings.values.has_sni_callback:
        result = call_python(connection, "sni_callback", ask, &hello, UNRAISABLE)
        if result != SSL_CLIENT_HELLO_SUCCESS:
            return SSL_CLIENT_HELLO_ERROR
    if (<Connection>connection).settings.values.alpn_required and not has_protocols(ssl):
        # OpenSSL asks for a protocol only if one is offered.
        (<Connection>connection).lacks_protocol = True
        alert[0] = SSL_AD_NO_APPLICATION_PROTOCOL
        return SSL_CLIENT_HELLO_ERROR
    (<Connection>connection).has_seen_hello = True
    return SSL_CLIENT_HELLO_SUCCESS


cdef bint has_protocols(SSL *ssl) noexcept nogil:
    """OpenSSL: SSL_client_hello_get0_ext(3)"""
    cdef const unsigned char *octets = NULL
    cdef size_t size = 0
    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &octets, &size)


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


cdef int consult(Connection connection, object callback, void *call) except -1:
    """Has client_hello_callback decide, and does what it says."""
    cdef Hello *hello = <Hello *>call
    cdef object answer
    if type(connection.client_hello) is bytes or connection.client_hello is None:
        # None: the message was not one of TLS, but of SSL 2.0.
        hello.alert[0] = SSL_AD_DECODE_ERROR
        connection.client_hello = read_hello(
            connection.client_hello or b"", connection.has_seen_hello and SSL_version(hello.ssl) == TLS1_3_VERSION)
        hello.alert[0] = SSL_AD_INTERNAL_ERROR
    connection.is_undecided = True
    try:
        answer = decision(connection, "client_hello_callback", callback, connection.client_hello)
        if answer is not PENDING:
            connection.requested_name = connection.client_hello.server_name
            connection.looked_at_name = True
            use(connection, answer)
    except BaseException as error:
        connection.is_undecided = False
        hello.alert[0] = alert_of(error)
        raise
    connection.is_undecided = answer is PENDING     # then `connection.context = ...` between two steps is a choice, too
    if answer is PENDING:
        return SUSPENDED
    connection.client_hello = None
    return SSL_CLIENT_HELLO_SUCCESS


cdef int use(Connection connection, object answer) except -1:
    if isinstance(answer, Context):
        if (<Context>answer)._protocol == PROTOCOL_TLS_CLIENT:
            raise ValueError("client_hello_callback must return a context for servers, not one of PROTOCOL_TLS_CLIENT")
        return choose_context(connection, answer)
    if isinstance(answer, Credential):
        choose_credential(connection, answer)
    elif answer is not None:
        raise TypeError(
            "client_hello_callback must return an SSLContext or a Credential of wiretight, None or PENDING, not "
            f"{type(answer).__name__}"
        )
    return connection.bind_sessions()


cdef int alert_of(object error) except -1:
    """The alert that an exception asks for, by its attribute of this name. OpenSSL sends none that it does not know.

    OpenSSL: SSL_alert_desc_string_long(3)
    """
    number = getattr(error, "alert", None)
    if isinstance(number, int) and 0 < number < 256 and strcmp(SSL_alert_desc_string_long(number), b"unknown") != 0:
        return number
    return SSL_AD_INTERNAL_ERROR


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
        answer = no_coroutine(callback(subject, connection.requested_name, connection._context), "sni_callback")
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
