"""Pre-shared keys (RFC 4279; RFC 8446, 2.2): the callbacks that a Context gets them from.

OpenSSL requests a key through the callback of TLS 1.2, also for TLS 1.3, where the key is used with SHA-256. A
callback that raises, or returns an invalid key, means "no key": the handshake continues without one, if it can, and
the exception goes to sys.unraisablehook, as with `ssl`.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memcpy, strlen

cimport cython

from wiretight._core.base.coroutines cimport no_coroutine
from wiretight._core.base.errors cimport forget_errors, ssl_error
from wiretight._core.base.text cimport c_string
from wiretight._core.callbacks.failures cimport UNRAISABLE, call_python, callable_or_none
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport settings_of, trial, update_settings
from wiretight._core.context.settings cimport Hook, Settings, unlike_others
from wiretight._core.context.versions cimport PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER
from wiretight._core.openssl.ssl cimport SSL, SSL_free, SSL_get_app_data

from wiretight._core.base.tables import FEATURES

cdef extern from "compat.h" nogil:
    ctypedef unsigned int (*wt_psk_client)(
        SSL *ssl, const char *hint, char *identity, unsigned int identity_size, unsigned char *key,
        unsigned int key_size) noexcept
    ctypedef unsigned int (*wt_psk_server)(
        SSL *ssl, const char *identity, unsigned char *key, unsigned int key_size) noexcept
    void wt_set_psk_client(SSL *ssl, wt_psk_client callback)
    void wt_set_psk_server(SSL *ssl, wt_psk_server callback)
    bint wt_set_psk_hint(SSL *ssl, const char *hint)


@cython.final
cdef class ClientHook(Hook):
    cdef bint apply(self, SSL *ssl, bint server_side) noexcept:
        """OpenSSL: SSL_set_psk_client_callback(3)"""
        wt_set_psk_client(ssl, on_client)
        return True


@cython.final
cdef class ServerHook(Hook):
    cdef bint apply(self, SSL *ssl, bint server_side) noexcept:
        """OpenSSL: SSL_set_psk_server_callback(3)"""
        wt_set_psk_server(ssl, on_server)
        return True


cdef ClientHook CLIENT = ClientHook()
cdef ServerHook SERVER = ServerHook()


cdef int set_psk_client_callback(Context context, object callback) except -1:
    check_available()
    if context._protocol == PROTOCOL_TLS_SERVER:
        raise ssl_error(0, 0, "Cannot add PSK client callback to a PROTOCOL_TLS_SERVER context")
    return update_settings(context, put_client_callback, callable_or_none(callback, "callback must be callable"))


cdef int put_client_callback(Context _, Settings settings, object callback) except -1:
    settings.hook(CLIENT, callback is not None)
    return keep_callback(settings, "psk_client_callback", callback)


cdef int set_psk_server_callback(Context context, object callback, str identity_hint) except -1:
    cdef bytes hint = c_string(identity_hint or "")
    check_available()
    if context._protocol == PROTOCOL_TLS_CLIENT:
        raise ssl_error(0, 0, "Cannot add PSK server callback to a PROTOCOL_TLS_CLIENT context")
    callable_or_none(callback, "callback must be callable")
    if callback is None:
        hint = b""
    check_hint(context, hint)
    return update_settings(context, put_server_callback, (callback, hint))


cdef int put_server_callback(Context _, Settings settings, object value) except -1:
    callback, settings.psk_hint = value
    settings.hook(SERVER, callback is not None)
    return keep_callback(settings, "psk_server_callback", callback)


cdef int keep_callback(Settings settings, str name, object callback) except -1:
    """Nobody shows a certificate to who has the key: a session of one must not be resumed where it is not accepted."""
    if settings.kept.get(name) is callback:
        return 0
    settings.keep(name, callback)
    accepts = "psk_client_callback" in settings.kept or "psk_server_callback" in settings.kept
    settings.psk_terms = unlike_others() if accepts else None
    return 0


cdef int check_hint(Context context, bytes hint) except -1:
    """OpenSSL: SSL_use_psk_identity_hint(3)"""
    cdef SSL *ssl = trial(context, settings_of(context))
    cdef bint accepted = wt_set_psk_hint(ssl, hint)
    SSL_free(ssl)
    if not accepted:
        forget_errors()
        raise ValueError("failed to set identity hint")
    return 0


cdef int check_available() except -1:
    if not FEATURES["HAS_PSK"]:
        raise NotImplementedError("this OpenSSL was built without pre-shared keys (no-psk): use another build of it")
    return 0


# OpenSSL's arguments, and the place for the answer.
cdef struct Question:
    const char *text        # the hint for a client, the identity for a server
    char *identity
    unsigned int identity_size
    unsigned char *key
    unsigned int key_size


cdef unsigned int on_client(
    SSL *ssl, const char *hint, char *identity, unsigned int identity_size, unsigned char *key, unsigned int key_size
) noexcept nogil:
    """OpenSSL: SSL_set_psk_client_callback(3)"""
    cdef Question question
    question.text = hint
    question.identity = identity
    question.identity_size = identity_size
    question.key = key
    question.key_size = key_size
    return max(0, call_python(SSL_get_app_data(ssl), "psk_client_callback", ask_client, &question, UNRAISABLE))


cdef int ask_client(Connection _, object callback, void *call) except -1:
    cdef Question *question = <Question *>call
    name, secret = no_coroutine(callback(text_or_none(question.text)), "the callback for pre-shared keys")
    put_identity(name, question.identity, question.identity_size)
    return put_key(secret, question.key, question.key_size)


cdef unsigned int on_server(
    SSL *ssl, const char *identity, unsigned char *key, unsigned int key_size
) noexcept nogil:
    """OpenSSL: SSL_set_psk_server_callback(3)"""
    cdef Question question
    question.text = identity
    question.key = key
    question.key_size = key_size
    return max(0, call_python(SSL_get_app_data(ssl), "psk_server_callback", ask_server, &question, UNRAISABLE))


cdef int ask_server(Connection _, object callback, void *call) except -1:
    cdef Question *question = <Question *>call
    secret = no_coroutine(callback(text_or_none(question.text)), "the callback for pre-shared keys")
    return put_key(secret, question.key, question.key_size)


cdef str text_or_none(const char *text):
    """An empty one was not sent."""
    return None if text == NULL or text[0] == 0 else text[:strlen(text)].decode("utf-8")


cdef int put_identity(object name, char *into, unsigned int size) except -1:
    cdef bytes identity = b"" if name is None else name.encode() if isinstance(name, str) else bytes(memoryview(name))
    if b"\0" in identity:
        raise ValueError("the identity of a pre-shared key must not contain a null character")
    if len(identity) >= size:
        raise ValueError(f"the identity of a pre-shared key has at most {size - 1} bytes, not {len(identity)}")
    memcpy(into, <const char *>identity, len(identity) + 1)
    return 0


cdef int put_key(object secret, unsigned char *into, unsigned int size) except -1:
    cdef Py_buffer view
    PyObject_GetBuffer(secret, &view, PyBUF_SIMPLE)
    try:
        if view.len > size:
            raise ValueError(f"a pre-shared key has at most {size} bytes, not {view.len}")
        memcpy(into, view.buf, view.len)
        return <int>view.len
    finally:
        PyBuffer_Release(&view)
