"""Server cache: where a program keeps the sessions of a server.

By default a server keeps nothing: a session is in the ticket that its client holds. With a cache the client holds a
number, and the session is in the cache. OpenSSL's own cache is out of use then, because it would know nothing of what
other processes remove.
"""

cimport cython

from wiretight._core.base.coroutines cimport no_coroutine, no_coroutine_function
from wiretight._core.callbacks cimport alerts
from wiretight._core.callbacks.failures cimport REPORTED, call_python
from wiretight._core.callbacks.serversessions cimport check_server, end_in_time, is_over
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.settings cimport Hook, Settings
from wiretight._core.openssl.ssl cimport (
    SSL, SSL3_AL_FATAL, SSL_CB_ALERT, SSL_CTX, SSL_CTX_sess_set_get_cb, SSL_CTX_sess_set_new_cb,
    SSL_CTX_set_session_cache_mode, SSL_OP_NO_TICKET, SSL_SESSION, SSL_SESSION_free, SSL_SESSION_get_id,
    SSL_SESS_CACHE_NO_INTERNAL, SSL_SESS_CACHE_SERVER, SSL_get0_session, SSL_get_app_data, SSL_is_server,
    SSL_set_info_callback, SSL_set_options,
)
from wiretight._core.session.encoding cimport decoded, encoded
from wiretight._core.session.session cimport expires_at, is_single_use
from wiretight._core.session.terms cimport Terms, digest_of
from wiretight._core.x509.octets cimport Octets, octets_of


# --- settings --------------------------------------------------------------------------------------------------------
def server_session_cache(Context context not None, /):
    """See SSLContext.server_session_cache. Since 0.1."""
    return settings_of(context).kept.get("server_session_cache")


def set_server_session_cache(Context context not None, cache, /):
    """See SSLContext.server_session_cache. Since 0.1."""
    if cache is not None:
        for name in ("put", "get", "remove"):
            method = getattr(cache, name, None)
            if not callable(method):
                kind = type(cache).__name__
                raise TypeError(f"server_session_cache must have the methods put(), get() and remove(), not {kind}")
            no_coroutine_function(method, f"server_session_cache.{name}()")
    check_server(context, "server_session_cache", cache)
    update_settings(context, put_cache, cache)


cdef int put_cache(Context _, Settings settings, object cache) except -1:
    settings.hook(CACHED, cache is not None)
    return settings.keep("server_session_cache", cache)


@cython.final
cdef class CachedHook(Hook):
    cdef bint apply(self, SSL *ssl, bint server_side) noexcept:
        """Without tickets, which with TLS 1.3 means: with tickets that are numbers.

        OpenSSL: SSL_set_options(3), SSL_set_info_callback(3)
        """
        if server_side:
            SSL_set_options(ssl, SSL_OP_NO_TICKET)
            SSL_set_info_callback(ssl, on_event)
        return True

    cdef bint install(self, SSL_CTX *ctx) noexcept:
        """OpenSSL: SSL_CTX_sess_set_new_cb(3), SSL_CTX_set_session_cache_mode(3)"""
        SSL_CTX_sess_set_new_cb(ctx, on_new_session)
        SSL_CTX_sess_set_get_cb(ctx, on_unknown_session)
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL)
        return True


cdef CachedHook CACHED = CachedHook()


# --- what OpenSSL calls ----------------------------------------------------------------------------------------------
cdef void on_event(const SSL *ssl, int event, int value) noexcept nogil:
    """A session whose connection ends in a fatal alert is not resumed any more (RFC 5246, 7.2.2).

    OpenSSL: SSL_set_info_callback(3)
    """
    alerts.on_event(ssl, event, value)
    if event & SSL_CB_ALERT and value >> 8 == SSL3_AL_FATAL and SSL_is_server(ssl) and SSL_get_app_data(ssl) != NULL:
        if SSL_get0_session(ssl) != NULL:
            call_python(SSL_get_app_data(ssl), "server_session_cache", remove, SSL_get0_session(ssl), REPORTED)


cdef int on_new_session(SSL *ssl, SSL_SESSION *session) noexcept nogil:
    """Returns 0: OpenSSL keeps its reference. OpenSSL: SSL_CTX_sess_set_new_cb(3)"""
    if SSL_get_app_data(ssl) != NULL:
        end_in_time(ssl)
        call_python(SSL_get_app_data(ssl), "server_session_cache", put, session, REPORTED)
    return 0


cdef struct Wanted:
    const unsigned char *id
    int size
    SSL_SESSION *session        # what was found


cdef SSL_SESSION *on_unknown_session(SSL *ssl, const unsigned char *id, int size, int *copy) noexcept nogil:
    """NULL without one. OpenSSL: SSL_CTX_sess_set_get_cb(3)"""
    cdef Wanted wanted
    copy[0] = 0             # it is OpenSSL's now
    wanted.id, wanted.size, wanted.session = id, size, NULL
    if SSL_get_app_data(ssl) != NULL:
        call_python(SSL_get_app_data(ssl), "server_session_cache", get, &wanted, REPORTED)
    return wanted.session


cdef bytes id_of(SSL_SESSION *session):
    cdef unsigned int size = 0
    cdef const unsigned char *id = SSL_SESSION_get_id(session, &size)
    return id[:size]


cdef bytes terms_of_connection(Connection connection):
    cdef Terms terms
    with cython.critical_section(connection):
        terms = connection.terms
    return None if terms is None else digest_of(terms)


cdef int put(Connection connection, object cache, void *argument) except -1:
    cdef SSL_SESSION *session = <SSL_SESSION *>argument
    cdef bytes terms = terms_of_connection(connection)
    cdef bytes id = id_of(session)
    if id and terms is not None:
        answer = cache.put(id, encoded(session, terms, None), expires_at(session))
        no_coroutine(answer, "server_session_cache.put()", False)
    return 0


cdef int remove(Connection connection, object cache, void *session) except -1:
    cdef bytes id = id_of(<SSL_SESSION *>session)
    if id:
        has_removed(cache, id)
    return 0


cdef int get(Connection connection, object cache, void *argument) except -1:
    """A ticket of TLS 1.3 is used once: it is the client's that removes it first."""
    cdef Wanted *wanted = <Wanted *>argument
    cdef bytes terms = terms_of_connection(connection)
    cdef bytes id = wanted.id[:wanted.size]
    cdef SSL_SESSION *session
    cdef Octets octets
    data = None if terms is None else no_coroutine(cache.get(id), "server_session_cache.get()")
    if data is None:
        return 0
    octets = octets_of(data, "what get() returns", "a bytes-like object or None")
    session = decoded(octets.data, octets.length, terms)
    if session == NULL:
        return 0
    try:
        if (
            id_of(session) == id
            and not is_over(connection.ssl, session)
            and (not is_single_use(session) or has_removed(cache, id))
        ):
            wanted.session, session = session, NULL
    finally:
        SSL_SESSION_free(session)
    return 0


cdef bint has_removed(object cache, bytes id) except -1:
    removed = no_coroutine(cache.remove(id), "server_session_cache.remove()")
    if removed is None:
        return True
    if not isinstance(removed, int):        # a future is true, too, whatever will come of it
        kind = type(removed).__name__
        raise TypeError(f"server_session_cache.remove() must return None, a bool or an int, not {kind}")
    return bool(removed)
