"""The sessions of an SSLContext, beyond one connection and one process."""

from __future__ import annotations

from wiretight._core.callbacks import servercache, serversessions
from wiretight._core.session import session as _session
from wiretight._standard.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from wiretight._core.session.session import SSLSession
    from wiretight._tls.sessionstore import ServerSessionCache

_sessions: Any = _session  # their functions take a context, which a mixin is not
_server: Any = serversessions
_cache: Any = servercache

_LONGEST = 604_800  # seconds: a week, of RFC 8446, 4.6.1


class HasSessions:
    """The part of SSLContext that takes sessions from elsewhere, and says what becomes of a server's."""

    __slots__ = ()

    def load_session(self, data: Buffer) -> SSLSession:
        """The session that SSLSession.to_bytes() was called for, in this process or another, for `session=` here.

        Raises ValueError if `data` is no session, or one that was made on other terms: to verify otherwise, with other
        trust or ciphers, or with another certificate of its own. Terms are compared before OpenSSL parses anything. So
        it does on a context that is for servers, and TypeError if `data` is not bytes-like.
        An expired session is loaded, but of no use: see SSLSession.expires. `data` must be as secret as a key, and from
        nobody else: who wrote it knows what the session protects. Since 0.1. Source: an addition to `ssl`.

        OpenSSL: d2i_SSL_SESSION(3)
        """
        session: SSLSession = _sessions.load_session(self, data)
        return session

    @property
    def session_timeout(self) -> float:
        """For how many seconds a server accepts a session; 7200 by default. With TLS 1.3 each ticket is counted from
        when it was made, with TLS 1.2 from the full handshake.

        A session ends earlier with the first of the certificates that its client was verified by. Less is for the
        sessions that exist, too; more is for new ones only. It is a whole number, at most 604800, a week: longer no
        client of TLS 1.3 keeps a ticket. Raises ValueError for another number, and on a context that is for clients;
        TypeError for what is no number. Since 0.1. Source: RFC 8446, section 4.6.1.

        OpenSSL: SSL_SESSION_set_timeout(3), SSL_SESSION_get_time(3)
        """
        seconds: float = _server.session_timeout(self)
        return seconds

    @session_timeout.setter
    def session_timeout(self, seconds: float) -> None:
        problem = f"session_timeout must be a whole number of seconds from 1 to {_LONGEST}, not {seconds!r}"
        try:
            fits = 1 <= seconds <= _LONGEST and seconds == int(seconds)
        except TypeError:
            raise TypeError(problem) from None
        if not fits:
            raise ValueError(problem)
        _server.set_session_timeout(self, int(seconds))

    @property
    def session_id_context(self) -> bytes | None:
        """What a server's sessions are bound to instead of its algorithms and ALPN protocols (bytes), or None.

        Servers with the same one, and the same ticket keys or cache, resume each other's sessions, whatever OpenSSL
        they have. Its meaning is "the same service". It takes nothing from what makes sessions safe: they stay bound to
        the name that the client asked for and, if certificates are asked for, to all that these were verified by, so
        that a change of trust ends them. A `verify_callback` needs a policy_id for it.

        Raises TypeError if it is not bytes, ValueError if it is empty, and on a context that is for clients.
        Since 0.1. Source: RFC 5077, section 5.6.

        OpenSSL: SSL_set_session_id_context(3)
        """
        value: bytes | None = _server.session_id_context(self)
        return value

    @session_id_context.setter
    def session_id_context(self, value: bytes | None) -> None:
        _server.set_session_id_context(self, value)

    @property
    def server_session_cache(self) -> ServerSessionCache | None:
        """Where a server keeps its sessions, or None, the default: in tickets that its clients hold.

        With a cache, a client gets a number, and what it stands for is in the cache: so a session can be revoked, and
        one of TLS 1.3 is resumed once. `put(id, data, expires)` is called with each new session, `get(id)` for each
        client that offers one, `remove(id)` for one of TLS 1.3 that is about to be resumed, and when a connection
        fails. `data` holds the secret of the session. They run amid the handshake, whose thread or event loop waits
        for them. What they raise goes to sys.unraisablehook, and the handshake is a full one.

        It is that of the context which `sni_callback` chooses; the context that a server listens with needs one too.
        Raises TypeError for what lacks a method, or has a coroutine function for one, ValueError on a context that is
        for clients. Since 0.1.
        Source: RFC 8446, section 8.1.

        OpenSSL: SSL_CTX_sess_set_get_cb(3), SSL_CTX_set_options(3)
        """
        cache: ServerSessionCache | None = _cache.server_session_cache(self)
        return cache

    @server_session_cache.setter
    def server_session_cache(self, cache: ServerSessionCache | None) -> None:
        _cache.set_server_session_cache(self, cache)
