"""Messages: the callback of a Context that receives every TLS message, header and alert."""

cimport cython

from wiretight._core.callbacks.failures cimport FAILS_VERB, call_python, callable_or_none, subject_of
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport update_settings
from wiretight._core.context.settings cimport Hook, Settings
from wiretight._core.openssl.ssl cimport (
    SSL, SSL3_MT_CHANGE_CIPHER_SPEC, SSL3_MT_CLIENT_HELLO, SSL3_RT_ALERT, SSL3_RT_CHANGE_CIPHER_SPEC,
    SSL3_RT_HANDSHAKE, SSL3_RT_HEADER, SSL3_RT_INNER_CONTENT_TYPE, SSL_get_app_data, SSL_set_msg_callback,
)


# OpenSSL's arguments.
cdef struct Message:
    bint written
    int version
    int content_type
    const unsigned char *octets
    size_t length


cdef int set_msg_callback(Context context, object callback) except -1:
    return update_settings(context, put_msg_callback, callable_or_none(callback))


cdef int put_msg_callback(Context _, Settings settings, object callback) except -1:
    settings.values.has_msg_callback = callback is not None
    settings.keep("msg_callback", callback)
    return hook_messages(settings)


cdef int hook_messages(Settings settings) except -1:
    return settings.hook(MESSAGES, settings.values.has_msg_callback or settings.values.has_client_hello_callback)


@cython.final
cdef class MessageHook(Hook):
    """Is never taken back: OpenSSL tests for the callback once and calls it twice, and may be between the two.

    OpenSSL: SSL_set_msg_callback(3)
    """
    cdef bint apply(self, SSL *ssl, bint server_side) noexcept:
        SSL_set_msg_callback(ssl, on_message)
        return True


cdef MessageHook MESSAGES = MessageHook()


cdef void on_message(
    int written, int version, int content_type, const void *data, size_t length, SSL *ssl, void *_,
) noexcept nogil:
    """OpenSSL: SSL_set_msg_callback(3)"""
    cdef void *connection = SSL_get_app_data(ssl)
    cdef Message message
    if connection == NULL:
        return
    message.written = written
    message.version = version
    message.content_type = content_type
    message.octets = <const unsigned char *>data
    message.length = length
    if (<Connection>connection).settings.values.has_client_hello_callback and is_client_hello(&message):
        call_python(connection, NULL, keep_hello, &message, FAILS_VERB)
    if (<Connection>connection).settings.values.has_msg_callback:
        call_python(connection, "msg_callback", pass_message, &message, FAILS_VERB)


cdef bint is_client_hello(const Message *message) noexcept nogil:
    return (
        not message.written and message.content_type == SSL3_RT_HANDSHAKE and message.length > 0
        and message.octets[0] == SSL3_MT_CLIENT_HELLO
    )


cdef int keep_hello(Connection connection, object _, void *call) except -1:
    """For client_hello_callback: what OpenSSL itself tells of a ClientHello leaves out what it does not know."""
    cdef Message *message = <Message *>call
    connection.client_hello = <bytes>message.octets[:message.length]
    return 0


cdef int pass_message(Connection connection, object callback, void *call) except -1:
    cdef Message *message = <Message *>call
    cdef const unsigned char *octets = message.octets
    cdef int version = message.version
    cdef int message_type = -1
    if message.content_type == SSL3_RT_CHANGE_CIPHER_SPEC:
        message_type = SSL3_MT_CHANGE_CIPHER_SPEC
    elif message.content_type == SSL3_RT_ALERT and message.length > 1:
        message_type = octets[1]
    elif message.content_type == SSL3_RT_HEADER and message.length > 2:
        # OpenSSL passes 0 as the version of a header, which contains it itself.
        version = octets[1] << 8 | octets[2]
        message_type = octets[0]
    elif message.content_type in (SSL3_RT_HANDSHAKE, SSL3_RT_INNER_CONTENT_TYPE) and message.length > 0:
        message_type = octets[0]
    subject = subject_of(connection)
    if subject is not None:
        callback(
            subject, "write" if message.written else "read", version, message.content_type, message_type,
            <bytes>octets[:message.length],
        )
    return 0
