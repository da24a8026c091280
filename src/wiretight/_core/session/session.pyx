"""SSLSession: one SSL_SESSION and the context that it belongs to."""

cimport cython

from wiretight._core.base.mutex cimport wt_process
from wiretight._core.context.context cimport trial
from wiretight._core.context.reloading cimport present_settings
from wiretight._core.context.settings cimport Settings
from wiretight._core.context.versions cimport PROTOCOL_TLS_SERVER
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CTX_sess_accept, SSL_CTX_sess_accept_good, SSL_CTX_sess_accept_renegotiate, SSL_CTX_sess_cache_full,
    SSL_CTX_sess_connect, SSL_CTX_sess_connect_good, SSL_CTX_sess_connect_renegotiate, SSL_CTX_sess_hits,
    SSL_CTX_sess_misses, SSL_CTX_sess_number, SSL_CTX_sess_timeouts, SSL_SESSION, SSL_SESSION_free,
    SSL_SESSION_get_id, SSL_SESSION_get_max_early_data, SSL_SESSION_get_protocol_version,
    SSL_SESSION_get_ticket_lifetime_hint, SSL_SESSION_get_time, SSL_SESSION_get_timeout, SSL_SESSION_has_ticket,
    SSL_SESSION_is_resumable, SSL_free, SSL_set_connect_state, TLS1_3_VERSION,
)
from wiretight._core.session.encoding cimport decoded, encoded, name_in
from wiretight._core.session.expiry cimport verified_until
from wiretight._core.session.terms cimport client_terms, digest_of
from wiretight._core.x509.octets cimport Octets, octets_of

# Used by adopt_session() only, so that Python code cannot create an SSLSession without an SSL_SESSION.
cdef object FROM_OPENSSL = object()


@cython.final
cdef class SSLSession:
    """What a later connection needs to resume this session without a full handshake. Programs cannot create one.

    It belongs to the context of its connection: pass it as `session` to that context's wrap_socket() or wrap_bio().
    With TLS 1.3 it becomes usable only when the server's ticket has arrived: see has_ticket.

    It is bound to what was verified: for another server's name, or after a change of the context's verification,
    ciphers, CA certificates or own certificate, it is not offered, and the handshake is a full one.

    Since 0.1. Source: `ssl.SSLSession` of the standard library; RFC 5246, RFC 8446.
    """

    def __cinit__(self, origin=None):
        if origin is not FROM_OPENSSL:
            raise TypeError(f"cannot create {type(self).__name__!r} instances")

    def __dealloc__(self):
        SSL_SESSION_free(self.session)

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __eq__(self, other):
        if not isinstance(other, SSLSession):
            return NotImplemented
        return self is other or self.id == other.id

    @property
    def id(self):
        """The session's identifier (bytes); b"" until a TLS 1.3 ticket has arrived. Since 0.1.

        OpenSSL: SSL_SESSION_get_id(3)
        """
        cdef unsigned int length = 0
        cdef const unsigned char *octets = SSL_SESSION_get_id(self.session, &length)
        return <bytes>octets[:length]

    @property
    def time(self):
        """When the session was established, in seconds since 1970. Since 0.1.

        OpenSSL: SSL_SESSION_get_time(3)
        """
        return SSL_SESSION_get_time(self.session)

    @property
    def timeout(self):
        """For how many seconds after `time` the session may be resumed. Since 0.1.

        OpenSSL: SSL_SESSION_get_timeout(3)
        """
        return SSL_SESSION_get_timeout(self.session)

    @property
    def ticket_lifetime_hint(self):
        """For how many seconds the server intends to accept the ticket; 0 without one. Since 0.1.

        OpenSSL: SSL_SESSION_get_ticket_lifetime_hint(3)
        """
        return SSL_SESSION_get_ticket_lifetime_hint(self.session)

    @property
    def has_ticket(self):
        """Whether the session has a ticket, without which TLS 1.3 cannot resume it. Since 0.1.

        OpenSSL: SSL_SESSION_has_ticket(3)
        """
        return SSL_SESSION_has_ticket(self.session)

    @property
    def expires(self):
        """Until when the session may be resumed, in seconds since 1970: the earliest end of its own time, of its
        ticket's, and of the certificates that the peer was verified by, from its own to the trust anchor. 0.0 if it
        cannot be resumed at all: there is no ticket yet, or its connection ended in a fatal alert. Since 0.1.

        OpenSSL: SSL_SESSION_is_resumable(3)
        """
        return expires_at(self.session)

    @property
    def is_single_use(self):
        """Whether it should be resumed only once, as those of TLS 1.3: by a ticket that is used again, whoever watches
        the network recognises a client. Since 0.1. Source: RFC 8446, appendix C.4.

        OpenSSL: SSL_SESSION_get_protocol_version(3)
        """
        return is_single_use(self.session)

    @property
    def max_early_data(self):
        """How many bytes of early data the server accepts with it; 0: none. Since 0.1. Source: RFC 8446, 4.2.10.

        OpenSSL: SSL_SESSION_get_max_early_data(3)
        """
        return SSL_SESSION_get_max_early_data(self.session)

    def to_bytes(self):
        """The session as bytes, for SSLContext.load_session() of another context or process, of any OpenSSL.

        They hold the secret of the session: whoever reads them can decrypt what it protects, and whoever can change
        them can stand in for the server. Raises ValueError for what no client could resume: the session of a server, or
        one without a ticket yet. Since 0.1. Source: an addition to `ssl`.

        OpenSSL: i2d_SSL_SESSION(3)
        """
        if self.terms is None or self.terms.is_server:
            raise ValueError("only the session of a client that has verified its server can be resumed")
        if expires_at(self.session) == 0:
            raise ValueError("the session has no ticket yet: it arrives with the first data, see new_session_callback")
        return encoded(self.session, digest_of(self.terms), self.terms.server_name)


cdef double expires_at(SSL_SESSION *session) noexcept nogil:
    """SSLSession.expires. OpenSSL: SSL_SESSION_is_resumable(3)"""
    cdef double seconds, hint
    if not SSL_SESSION_is_resumable(session):
        return 0
    seconds = SSL_SESSION_get_timeout(session)
    hint = SSL_SESSION_get_ticket_lifetime_hint(session)
    if hint and hint < seconds:
        seconds = hint
    return min(SSL_SESSION_get_time(session) + seconds, verified_until(session))


cdef bint is_single_use(SSL_SESSION *session) noexcept nogil:
    """OpenSSL: SSL_SESSION_get_protocol_version(3)"""
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION


cdef bint is_another_process(SSLSession session) noexcept:
    """After a fork() both processes have each session of the parent, and one that is used once is the parent's."""
    return session.process != wt_process and is_single_use(session.session)


cdef SSLSession adopt_session(SSL_SESSION *session, Context context, Terms terms):
    cdef SSLSession adopted = SSLSession.__new__(SSLSession, FROM_OPENSSL)
    adopted.session = session
    adopted.context = context
    adopted.terms = terms
    adopted.process = wt_process
    return adopted


def load_session(Context context not None, data, /):
    """See SSLContext.load_session(). Since 0.1.

    OpenSSL: d2i_SSL_SESSION(3)
    """
    cdef Octets octets = octets_of(data, "data", "a bytes-like object")
    cdef str name = name_in(octets.data, octets.length)
    cdef SSL_SESSION *session
    cdef Terms terms
    if context._protocol == PROTOCOL_TLS_SERVER:
        raise ValueError("load_session() is for clients: it needs a context made with PROTOCOL_TLS_CLIENT")
    terms = terms_to(context, name)
    session = decoded(octets.data, octets.length, digest_of(terms))
    if session == NULL:
        raise ValueError(
            f"the session to {name} was made on other terms: this context verifies otherwise than the one that made it"
        )
    return adopt_session(session, context, terms)


cdef Terms terms_to(Context context, str server_name):
    """Those of a connection that `context` would make now.

    OpenSSL: SSL_set_connect_state(3)
    """
    cdef Settings settings = present_settings(context)
    cdef SSL *ssl = trial(context, settings)
    SSL_set_connect_state(ssl)      # a context for both sides makes servers
    try:
        return client_terms(ssl, settings, server_name)
    finally:
        SSL_free(ssl)


cdef dict stats_of(Context context):
    """OpenSSL: SSL_CTX_sess_number(3)"""
    with cython.critical_section(context):      # until the first connection, a policy may replace the SSL_CTX
        return {
            "number": SSL_CTX_sess_number(context.ctx),
            "connect": SSL_CTX_sess_connect(context.ctx),
            "connect_good": SSL_CTX_sess_connect_good(context.ctx),
            "connect_renegotiate": SSL_CTX_sess_connect_renegotiate(context.ctx),
            "accept": SSL_CTX_sess_accept(context.ctx),
            "accept_good": SSL_CTX_sess_accept_good(context.ctx),
            "accept_renegotiate": SSL_CTX_sess_accept_renegotiate(context.ctx),
            "hits": SSL_CTX_sess_hits(context.ctx),
            "misses": SSL_CTX_sess_misses(context.ctx),
            "timeouts": SSL_CTX_sess_timeouts(context.ctx),
            "cache_full": SSL_CTX_sess_cache_full(context.ctx),
        }
