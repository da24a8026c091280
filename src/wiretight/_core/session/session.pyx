"""SSLSession: one SSL_SESSION and the context that it belongs to."""

cimport cython

from wiretight._core.openssl.ssl cimport (
    SSL_CTX_sess_accept, SSL_CTX_sess_accept_good, SSL_CTX_sess_accept_renegotiate, SSL_CTX_sess_cache_full,
    SSL_CTX_sess_connect, SSL_CTX_sess_connect_good, SSL_CTX_sess_connect_renegotiate, SSL_CTX_sess_hits,
    SSL_CTX_sess_misses, SSL_CTX_sess_number, SSL_CTX_sess_timeouts, SSL_SESSION, SSL_SESSION_free,
    SSL_SESSION_get0_peer, SSL_SESSION_get_id, SSL_SESSION_get_protocol_version,
    SSL_SESSION_get_ticket_lifetime_hint, SSL_SESSION_get_time, SSL_SESSION_get_timeout, SSL_SESSION_has_ticket,
    SSL_SESSION_is_resumable, TLS1_3_VERSION,
)
from wiretight._core.openssl.x509 cimport X509
from wiretight._core.session.expiry cimport end_of

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
        ticket's and of the peer's certificate. 0.0 if it cannot be resumed at all: there is no ticket yet, or its
        connection ended in a fatal alert. Since 0.1.

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


cdef double expires_at(SSL_SESSION *session) noexcept nogil:
    """SSLSession.expires. OpenSSL: SSL_SESSION_get0_peer(3)"""
    cdef double seconds, hint, end
    cdef X509 *peer
    if not SSL_SESSION_is_resumable(session):
        return 0
    seconds = SSL_SESSION_get_timeout(session)
    hint = SSL_SESSION_get_ticket_lifetime_hint(session)
    if hint and hint < seconds:
        seconds = hint
    end = SSL_SESSION_get_time(session) + seconds
    peer = SSL_SESSION_get0_peer(session)
    if peer != NULL:
        end = min(end, end_of(peer))
    return end


cdef bint is_single_use(SSL_SESSION *session) noexcept nogil:
    """OpenSSL: SSL_SESSION_get_protocol_version(3)"""
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION


cdef SSLSession adopt_session(SSL_SESSION *session, Context context, Terms terms):
    cdef SSLSession adopted = SSLSession.__new__(SSLSession, FROM_OPENSSL)
    adopted.session = session
    adopted.context = context
    adopted.terms = terms
    return adopted


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
