"""Every callback that OpenSSL makes from a handshake into Python: SNI, ALPN, key log, messages.

OpenSSL calls in the middle of a verb, with the connection's lock held and maybe without the GIL. So each of them takes
the GIL, and lets no exception through: C code is in between. What happens to an exception instead:

- SNI: the handshake ends with an alert, and sys.unraisablehook gets it, as with `ssl`: the verb itself raises the
  SSLError of the alert.
- Key log and messages: the handshake goes on, and the connection keeps it as `callback_error`, for the verb to raise.

A callback finds its Context through the connection and not through an argument stored in the SSL_CTX: the connection
holds a reference to its context, and after an SNI switch it is the new one's callbacks that count.
"""

from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable
from libc.errno cimport ENOSPC
from libc.string cimport memcmp
from posix.unistd cimport close

from wiretight._core.errors cimport raise_queue
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.ssl cimport (
    SSL, SSL3_MT_CHANGE_CIPHER_SPEC, SSL3_RT_ALERT, SSL3_RT_CHANGE_CIPHER_SPEC, SSL3_RT_HANDSHAKE, SSL3_RT_HEADER,
    SSL3_RT_INNER_CONTENT_TYPE, SSL_AD_HANDSHAKE_FAILURE, SSL_AD_INTERNAL_ERROR, SSL_CTX_set_alpn_protos,
    SSL_CTX_set_alpn_select_cb, SSL_CTX_set_keylog_callback, SSL_CTX_set_msg_callback,
    SSL_CTX_set_tlsext_servername_callback, SSL_get_app_data, SSL_get_servername, SSL_TLSEXT_ERR_ALERT_FATAL,
    SSL_TLSEXT_ERR_NOACK, SSL_TLSEXT_ERR_OK, TLSEXT_NAMETYPE_host_name,
)
from wiretight._core.context cimport PROTOCOL_TLS_CLIENT

import os


# --- server name -----------------------------------------------------------------------------------------------------
cdef int set_sni_callback(Context context, object callback) except -1:
    """OpenSSL: SSL_CTX_set_tlsext_servername_callback(3)"""
    if context._protocol == PROTOCOL_TLS_CLIENT:
        raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
    context._sni_callback = callable_or_none(callback)
    if callback is None:
        SSL_CTX_set_tlsext_servername_callback(context.ctx, NULL)
    else:
        SSL_CTX_set_tlsext_servername_callback(context.ctx, on_server_name)
    return 0


cdef int on_server_name(SSL *ssl, int *alert, void *_) noexcept with gil:
    """Called for every ClientHello: a second one, after a HelloRetryRequest, goes to the context chosen by the first.

    OpenSSL: SSL_CTX_set_tlsext_servername_callback(3)
    """
    cdef Context context
    cdef const char *sent = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)
    cdef object callback = None
    alert[0] = SSL_AD_INTERNAL_ERROR
    try:
        connection = <object>SSL_get_app_data(ssl)
        context = connection.context
        callback = context._sni_callback
        if callback is None:
            return SSL_TLSEXT_ERR_OK
        name = None if sent == NULL else sent.decode("ascii")
        subject = connection.callback_subject
        if subject is None:
            return SSL_TLSEXT_ERR_ALERT_FATAL
        alert[0] = SSL_AD_HANDSHAKE_FAILURE
        answer = callback(subject, name, context)
        if answer is None:
            return SSL_TLSEXT_ERR_OK
        alert[0] = SSL_AD_INTERNAL_ERROR
        alert[0] = alert_number(answer)
    except BaseException as error:
        report_unraisable(error, callback)
    return SSL_TLSEXT_ERR_ALERT_FATAL


cdef int alert_number(object answer) except -1:
    if not isinstance(answer, int):
        raise TypeError(f"sni_callback must return None or the number of an alert, not {type(answer).__name__}")
    cdef unsigned char number = answer
    return number


# --- application protocol --------------------------------------------------------------------------------------------
cdef int set_alpn_protocols(Context context, bytes protocols) except -1:
    """OpenSSL: SSL_CTX_set_alpn_protos(3)"""
    ERR_clear_error()
    # Zero is success here.
    if SSL_CTX_set_alpn_protos(context.ctx, protocols, <unsigned int>len(protocols)):
        raise_queue("the list of ALPN protocols is not in the format of RFC 7301")
    context._alpn = protocols
    SSL_CTX_set_alpn_select_cb(context.ctx, on_application_protocols, NULL)
    return 0


cdef int on_application_protocols(
    SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length, const unsigned char *offered,
    unsigned int offered_length, void *_,
) noexcept with gil:
    """Chooses the first of the server's protocols that the client offers; without one, goes on without a protocol.

    OpenSSL: SSL_CTX_set_alpn_select_cb(3)
    """
    cdef Context context
    cdef bytes supported
    cdef const unsigned char *ours
    cdef unsigned int i = 0, j
    try:
        context = (<object>SSL_get_app_data(ssl)).context
        supported = context._alpn
    except BaseException as error:
        report_unraisable(error, None)
        return SSL_TLSEXT_ERR_ALERT_FATAL
    ours = supported
    while i < <unsigned int>len(supported):
        j = 0
        while j < offered_length:
            if ours[i] == offered[j] and memcmp(ours + i + 1, offered + j + 1, ours[i]) == 0:
                # In the client's list, which OpenSSL holds: ours may be replaced before OpenSSL copies the name.
                chosen[0] = offered + j + 1
                chosen_length[0] = offered[j]
                return SSL_TLSEXT_ERR_OK
            j += offered[j] + 1
        i += ours[i] + 1
    return SSL_TLSEXT_ERR_NOACK


# --- key log ---------------------------------------------------------------------------------------------------------
cdef class KeyLog:
    """A file open for appending. It is closed with its last user: a handshake may outlast the context's use of it."""
    cdef int fd

    def __cinit__(self, path):
        self.fd = -1
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        if os.lseek(self.fd, 0, os.SEEK_END) == 0:
            self.write(b"# TLS secrets log file, generated by wiretight\n")

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)

    def write(self, bytes line):
        # In one call, so that the lines of several connections and processes stay whole.
        if os.write(self.fd, line) < len(line):
            raise OSError(ENOSPC, os.strerror(ENOSPC))


cdef int set_keylog_filename(Context context, object path) except -1:
    """OpenSSL: SSL_CTX_set_keylog_callback(3)"""
    context._keylog = None if path is None else KeyLog(path)
    context._keylog_filename = path
    if path is None:
        SSL_CTX_set_keylog_callback(context.ctx, NULL)
    else:
        SSL_CTX_set_keylog_callback(context.ctx, on_secret)
    return 0


cdef void on_secret(const SSL *ssl, const char *line) noexcept with gil:
    """OpenSSL: SSL_CTX_set_keylog_callback(3)"""
    cdef Context context
    connection = <object>SSL_get_app_data(ssl)
    try:
        context = connection.context
        log = context._keylog
        if log is not None:
            log.write(<bytes>line + b"\n")
    except BaseException as error:
        leave_to_verb(connection, error)


# --- messages --------------------------------------------------------------------------------------------------------
cdef int set_msg_callback(Context context, object callback) except -1:
    """OpenSSL: SSL_CTX_set_msg_callback(3)"""
    context._message_callback = callable_or_none(callback)
    if callback is None:
        SSL_CTX_set_msg_callback(context.ctx, NULL)
    else:
        SSL_CTX_set_msg_callback(context.ctx, on_message)
    return 0


cdef void on_message(
    int written, int version, int content_type, const void *data, size_t length, SSL *ssl, void *_,
) noexcept with gil:
    """OpenSSL: SSL_CTX_set_msg_callback(3)"""
    cdef Context context
    cdef const unsigned char *octets = <const unsigned char *>data
    cdef int message_type = -1
    if SSL_get_app_data(ssl) == NULL:
        return
    connection = <object>SSL_get_app_data(ssl)
    try:
        context = connection.context
        callback = context._message_callback
        if callback is None:
            return
        if content_type == SSL3_RT_CHANGE_CIPHER_SPEC:
            message_type = SSL3_MT_CHANGE_CIPHER_SPEC
        elif content_type == SSL3_RT_ALERT and length > 1:
            message_type = octets[1]
        elif content_type == SSL3_RT_HEADER and length > 2:
            # The version that OpenSSL passes with a header is 0; it stands in the header itself.
            version = octets[1] << 8 | octets[2]
            message_type = octets[0]
        elif content_type in (SSL3_RT_HANDSHAKE, SSL3_RT_INNER_CONTENT_TYPE) and length > 0:
            message_type = octets[0]
        subject = connection.callback_subject
        if subject is None:
            return
        callback(
            subject, "write" if written else "read", version, content_type,
            message_type, <bytes>octets[:length],
        )
    except BaseException as error:
        leave_to_verb(connection, error)


# --- shared ----------------------------------------------------------------------------------------------------------
cdef object callable_or_none(object callback, str refusal="not a callable object"):
    if callback is not None and not callable(callback):
        raise TypeError(refusal)
    return callback


cdef int leave_to_verb(object connection, object error) noexcept:
    try:
        connection.callback_error = error
    except BaseException:
        report_unraisable(error, connection)
    return 0


cdef int report_unraisable(object error, object where) noexcept:
    PyErr_SetObject(type(error), error)
    PyErr_WriteUnraisable(where)
    return 0
