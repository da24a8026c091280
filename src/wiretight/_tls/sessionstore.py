"""SessionStore: what a context's `session_store` has to be, for programs that write one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wiretight._core.session.session import SSLSession


class SessionStore(Protocol):
    """Where a client's sessions are kept: see SSLContext.session_store. MemorySessionStore is one.

    Any thread may call either method, also several at once. Since 0.1. Source: Go's tls.ClientSessionCache.
    """

    def put(self, key: str, session: SSLSession, /) -> object:
        """Keeps `session`, in addition to others of `key`; what it returns is ignored. Since 0.1."""

    def take(self, key: str, /) -> SSLSession | None:
        """Removes a session of `key`, and returns it; None without one. An expired one is not offered. Since 0.1."""
