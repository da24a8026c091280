"""Server sessions: how long a server's sessions last, and what they are bound to."""

from wiretight._core.callbacks.ticketcounts cimport count_sent, note_offered
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport settings_of, update_settings
from wiretight._core.context.settings cimport Settings
from wiretight._core.context.versions cimport PROTOCOL_TLS_CLIENT
from wiretight._core.openssl.ssl cimport (
    SSL_CTX_add_session, SSL_CTX_remove_session, SSL_CTX_sess_get_new_cb, SSL_CTX_sess_set_new_cb,
    SSL_CTX_set_session_cache_mode, SSL_CTX_set_session_ticket_cb, SSL_OP_NO_TICKET, SSL_SESSION,
    SSL_SESSION_get_timeout, SSL_SESS_CACHE_NO_INTERNAL_STORE, SSL_SESS_CACHE_SERVER, SSL_TICKET_EMPTY,
    SSL_TICKET_NO_DECRYPT, SSL_TICKET_RETURN_IGNORE_RENEW, SSL_TICKET_RETURN_USE, SSL_TICKET_RETURN_USE_RENEW,
    SSL_TICKET_SUCCESS_RENEW, SSL_get0_session, SSL_get0_verified_chain, SSL_get_app_data, SSL_get_options,
    SSL_session_reused, SSL_version, TLS1_3_VERSION,
)
from wiretight._core.session.expiry cimport end_after, has_ended, keep_end, note_shortened, times_shortened


cdef int check_server(Context context, str name, object value) except -1:
    if value is not None and context._protocol == PROTOCOL_TLS_CLIENT:
        raise ValueError(f"{name} is for servers: it needs a context made with PROTOCOL_TLS_SERVER")
    return 0


# --- how long they last ----------------------------------------------------------------------------------------------
def session_timeout(Context context not None, /):
    """See SSLContext.session_timeout. Since 0.1."""
    return float(settings_of(context).values.session_timeout)


def set_session_timeout(Context context not None, seconds, /):
    """See SSLContext.session_timeout. Since 0.1.

    OpenSSL: SSL_CTX_set_timeout(3)
    """
    cdef dict change = {"seconds": seconds}
    check_server(context, "session_timeout", seconds)
    update_settings(context, put_timeout, change)
    if change["is_less"]:       # by now no connection begins with the longer one
        note_shortened()


cdef int put_timeout(Context _, Settings settings, object change) except -1:
    change["is_less"] = change["seconds"] < settings.values.session_timeout
    settings.values.session_timeout = change["seconds"]
    return 0


cdef int install(Context context) noexcept:
    """OpenSSL: SSL_CTX_set_session_ticket_cb(3), SSL_CTX_sess_set_new_cb(3), SSL_CTX_set_session_cache_mode(3)"""
    SSL_CTX_set_session_ticket_cb(context.ctx, on_ticket, on_offered, NULL)
    # A copy has the hooks of its original by now: a server_session_cache has a callback of its own.
    if context._protocol != PROTOCOL_TLS_CLIENT and SSL_CTX_sess_get_new_cb(context.ctx) == NULL:
        SSL_CTX_sess_set_new_cb(context.ctx, on_new_session)
        SSL_CTX_set_session_cache_mode(context.ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL_STORE)
    return 0


cdef int on_new_session(SSL *ssl, SSL_SESSION *session) noexcept nogil:
    """Puts it into OpenSSL's own cache, as OpenSSL would: with TLS 1.3 only without tickets. Not sooner, because there
    other threads have the session, and may free it, and its time must not change any more.

    Returns 0: OpenSSL keeps its reference. OpenSSL: SSL_CTX_sess_set_new_cb(3), SSL_CTX_add_session(3)
    """
    cdef void *connection = SSL_get_app_data(ssl)
    if connection == NULL:
        return 0
    if SSL_version(ssl) < TLS1_3_VERSION:       # otherwise on_ticket() has
        end_in_time(ssl)
    elif not SSL_get_options(ssl) & SSL_OP_NO_TICKET:
        return 0
    SSL_CTX_add_session((<Connection>connection).cache, session)
    # Looked at only now, because a cache that has been emptied before this was not emptied of it.
    if times_shortened() != (<Connection>connection).shortened:
        SSL_CTX_remove_session((<Connection>connection).cache, session)
    return 0


cdef int on_ticket(SSL *ssl, void *_) noexcept nogil:
    """Called before a ticket is made of the session. OpenSSL: SSL_CTX_set_session_ticket_cb(3)"""
    cdef bint is_kept = keep_end_of_client(ssl)
    end_in_time(ssl)
    count_sent(ssl)
    return is_kept


cdef bint keep_end_of_client(SSL *ssl) noexcept nogil:
    """Of TLS 1.3, where a client may also be verified after the handshake: the session that this ticket is made of is
    new, but the one of the handshake may be in a cache by then. For other versions see callbacks/verify.pyx.

    OpenSSL: SSL_get0_verified_chain(3), which is NULL if nobody was verified on this connection
    """
    if SSL_version(ssl) < TLS1_3_VERSION or SSL_get0_verified_chain(ssl) == NULL:
        return True
    return keep_end(SSL_get0_session(ssl), SSL_get0_verified_chain(ssl))


cdef void end_in_time(SSL *ssl) noexcept nogil:
    """Nobody else has the session yet: it is new, or was made of the client's ticket. One that comes from OpenSSL's own
    cache gets no ticket.

    OpenSSL: SSL_get_session(3)
    """
    cdef SSL_SESSION *session = SSL_get0_session(ssl)
    cdef void *connection = SSL_get_app_data(ssl)
    cdef long seconds
    if session == NULL or connection == NULL:
        return
    seconds = (<Connection>connection).settings.values.session_timeout
    # With TLS 1.2 it is the one that was resumed, with its own time; with TLS 1.3 each ticket begins a new one.
    if SSL_session_reused(ssl) and SSL_version(ssl) < TLS1_3_VERSION:
        seconds = min(seconds, SSL_SESSION_get_timeout(session))
    end_after(session, seconds)


cdef int on_offered(
    SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_length, int status, void *_
) noexcept nogil:
    """OpenSSL: SSL_CTX_set_session_ticket_cb(3)"""
    cdef bint has_expired
    if status == SSL_TICKET_EMPTY:
        return SSL_TICKET_RETURN_IGNORE_RENEW
    has_expired = status != SSL_TICKET_NO_DECRYPT and is_over(ssl, session)
    note_offered(ssl, status == SSL_TICKET_NO_DECRYPT, has_expired)
    if status == SSL_TICKET_NO_DECRYPT or has_expired:
        return SSL_TICKET_RETURN_IGNORE_RENEW
    return SSL_TICKET_RETURN_USE_RENEW if status == SSL_TICKET_SUCCESS_RENEW else SSL_TICKET_RETURN_USE


cdef bint is_over(SSL *ssl, SSL_SESSION *session) noexcept nogil:
    """By what it was given when it was made, and by what the context gives now."""
    cdef void *connection = SSL_get_app_data(ssl)
    return connection != NULL and has_ended(session, (<Connection>connection).settings.values.session_timeout)


# --- what they are bound to ------------------------------------------------------------------------------------------
def session_id_context(Context context not None, /):
    """See SSLContext.session_id_context. Since 0.1."""
    return settings_of(context).kept.get("session_id_context")


def set_session_id_context(Context context not None, value, /):
    """See SSLContext.session_id_context. Since 0.1."""
    if value is not None and not isinstance(value, bytes):
        raise TypeError(f"session_id_context must be bytes or None, not {type(value).__name__}")
    if value == b"":
        raise ValueError("session_id_context must not be empty: use None for what the context is set to")
    check_server(context, "session_id_context", value)
    update_settings(context, put_id_context, value)


cdef int put_id_context(Context _, Settings settings, object value) except -1:
    if settings.kept.get("session_id_context") != value:
        settings.keep("session_id_context", value)
    return 0
