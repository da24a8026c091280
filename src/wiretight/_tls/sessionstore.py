"""What a context's `session_store` and `server_session_cache` have to be, for programs that write one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wiretight._core.session.session import SSLSession


class SessionStore(Protocol):
    """Where a client's sessions are kept: see SSLContext.session_store. MemorySessionStore is one.

    Any thread may call either method, also several at once; neither is a coroutine function. Since 0.1.
    Source: Go's tls.ClientSessionCache.
    """

    def put(self, key: str, session: SSLSession, /) -> object:
        """Keeps `session`, in addition to others of `key`; what it returns is ignored. Since 0.1."""

    def take(self, key: str, /) -> SSLSession | None:
        """Removes a session of `key`, and returns it; None without one. An expired one is not offered, nor after a
        fork() one of TLS 1.3 that the parent has put there. Since 0.1.
        """


class ServerSessionCache(Protocol):
    """Where a server's sessions are kept: see SSLContext.server_session_cache.

    Any thread may call each method, also several at once, amid a handshake: what they wait for, it waits for. None is a
    coroutine function. Since 0.1. Source: OpenSSL, SSL_CTX_sess_set_get_cb(3).
    """

    def put(self, id: bytes, data: bytes, expires: float, /) -> object:
        """Keeps `data`, at most until `expires` (seconds since 1970); what it returns is ignored. Since 0.1."""

    def get(self, id: bytes, /) -> bytes | None:
        """What was put for `id`, or None. An expired session is not resumed. Since 0.1."""

    def remove(self, id: bytes, /) -> object:
        """Forgets it. If this returns 0 or False, it was not there, and a ticket of TLS 1.3 is not accepted: somebody
        else has used it. None says nothing, any other int or bool that it was. What is none of these, such as a
        future, is a TypeError, and the ticket is not accepted. Since 0.1.
        """
