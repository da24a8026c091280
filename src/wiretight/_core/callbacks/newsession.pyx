"""New sessions: the callback, and the store, that get the sessions which a Context's clients may resume.

With TLS 1.3 that is each ticket, when a read meets it; with TLS 1.2 the one session of a full handshake. OpenSSL does
not tell of a new ticket in a handshake of TLS 1.2 that resumes: so the store gets that session at the end of each such
handshake, which also puts back what was taken from it.
"""

cimport cython
from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable

from wiretight._core.base.coroutines cimport no_coroutine, no_coroutine_function
from wiretight._core.callbacks cimport alerts
from wiretight._core.callbacks.failures cimport FAILS_VERB, call_python, callable_or_none, subject_of
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport settings_of, update_settings
from wiretight._core.context.settings cimport Hook, Settings
from wiretight._core.context.versions cimport PROTOCOL_TLS_CLIENT
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CB_HANDSHAKE_DONE, SSL_CTX, SSL_CTX_sess_set_new_cb, SSL_CTX_set_session_cache_mode, SSL_SESS_CACHE_CLIENT,
    SSL_SESS_CACHE_NO_INTERNAL, SSL_SESSION, SSL_SESSION_up_ref, SSL_get0_session, SSL_get_app_data, SSL_is_server,
    SSL_session_reused, SSL_set_info_callback, SSL_total_renegotiations, SSL_version, TLS1_3_VERSION,
)
from wiretight._core.session.session cimport SSLSession, adopt_session
from wiretight._core.session.terms cimport Terms


cdef int set_new_session_callback(Context context, object callback) except -1:
    callable_or_none(callback, f"new_session_callback must be callable or None, not {type(callback).__name__}")
    check_client(context, "new_session_callback", callback)
    return update_settings(context, put_callback, no_coroutine_function(callback, "new_session_callback"))


cdef int put_callback(Context _, Settings settings, object callback) except -1:
    settings.keep("new_session_callback", callback)
    return hook_sessions(settings)


cdef object new_session_callback(Context context):
    return settings_of(context).kept.get("new_session_callback")


cdef int set_session_store(Context context, object store) except -1:
    if store is not None:
        for name in ("put", "take"):
            method = getattr(store, name, None)
            if not callable(method):
                kind = type(store).__name__
                raise TypeError(
                    f"session_store must have the methods put() and take(), as MemorySessionStore has, not {kind}")
            no_coroutine_function(method, f"session_store.{name}()")
    check_client(context, "session_store", store)
    return update_settings(context, put_store, store)


cdef int put_store(Context _, Settings settings, object store) except -1:
    settings.hook(RESUMED, store is not None)
    settings.keep("session_store", store)
    return hook_sessions(settings)


cdef int hook_sessions(Settings settings) except -1:
    return settings.hook(NOTICED, "new_session_callback" in settings.kept or "session_store" in settings.kept)


cdef object session_store(Context context):
    return settings_of(context).kept.get("session_store")


cdef int check_client(Context context, str name, object value) except -1:
    """On a context that serves too, OpenSSL would keep the sessions of both in one cache."""
    if value is not None and context._protocol != PROTOCOL_TLS_CLIENT:
        raise ValueError(f"{name} is for clients: it needs a context made with PROTOCOL_TLS_CLIENT")
    return 0


@cython.final
cdef class NoticedHook(Hook):
    cdef bint install(self, SSL_CTX *ctx) noexcept:
        """Not before it is needed: with it, OpenSSL takes a session of TLS 1.2 for used once the server has replaced
        it.

        OpenSSL: SSL_CTX_sess_set_new_cb(3), SSL_CTX_set_session_cache_mode(3)
        """
        SSL_CTX_sess_set_new_cb(ctx, on_session)
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL)
        return True


cdef NoticedHook NOTICED = NoticedHook()


cdef int on_session(SSL *ssl, SSL_SESSION *session) noexcept nogil:
    """Returns 0: OpenSSL keeps its reference. OpenSSL: SSL_CTX_sess_set_new_cb(3)"""
    if SSL_get_app_data(ssl) != NULL:
        call_python(SSL_get_app_data(ssl), NULL, pass_session, session, FAILS_VERB)
    return 0


@cython.final
cdef class ResumedHook(Hook):
    cdef bint apply(self, SSL *ssl, bint server_side) noexcept:
        """OpenSSL: SSL_set_info_callback(3)"""
        SSL_set_info_callback(ssl, on_event)
        return True


cdef ResumedHook RESUMED = ResumedHook()


cdef void on_event(const SSL *ssl, int event, int value) noexcept nogil:
    """In the place of what the SSL_CTX has. A renegotiation resumes what the store got from this connection before.

    OpenSSL: SSL_set_info_callback(3)
    """
    alerts.on_event(ssl, event, value)
    if event != SSL_CB_HANDSHAKE_DONE or SSL_is_server(ssl) or SSL_version(ssl) >= TLS1_3_VERSION:
        return
    if SSL_session_reused(ssl) and SSL_total_renegotiations(<SSL *>ssl) == 0 and SSL_get_app_data(ssl) != NULL:
        call_python(SSL_get_app_data(ssl), "session_store", put_back, SSL_get0_session(ssl), FAILS_VERB)


cdef int pass_session(Connection connection, object _, void *session) except -1:
    cdef SSLSession new = session_for(connection, <SSL_SESSION *>session)
    cdef dict kept = connection.settings.kept
    callback = kept.get("new_session_callback")
    if new is None:
        return 0
    put_into(kept.get("session_store"), connection, new)
    if callback is not None:
        subject = subject_of(connection)
        if subject is not None:
            no_coroutine(callback(subject, new), "new_session_callback", False)
    return 0


cdef int put_back(Connection connection, object store, void *session) except -1:
    cdef SSLSession resumed = session_for(connection, <SSL_SESSION *>session)
    return 0 if resumed is None else put_into(store, connection, resumed)


cdef SSLSession session_for(Connection connection, SSL_SESSION *session):
    """None: nobody may resume it. OpenSSL: SSL_SESSION_up_ref(3)"""
    cdef Context context
    cdef Terms terms
    with cython.critical_section(connection):
        context, terms = connection._context, connection.terms
    if terms is None:
        return None
    SSL_SESSION_up_ref(session)
    return adopt_session(session, context, terms)


cdef int put_into(object store, Connection connection, SSLSession session) except -1:
    """Without a store that works, the connection goes on, and the next handshake is a full one."""
    cdef str key
    with cython.critical_section(connection):
        key = connection.session_key
    if store is None or key is None:
        return 0
    try:
        no_coroutine(store.put(key, session), "session_store.put()", False)
    except Exception as error:
        PyErr_SetObject(type(error), error)
        PyErr_WriteUnraisable(store)
    return 0
