"""The sessions of an SSLContext, beyond one connection and one process."""

from __future__ import annotations

from wiretight._core.session import session as _session
from wiretight._standard.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from wiretight._core.session.session import SSLSession

_sessions: Any = _session  # its functions take a context, which a mixin is not


class HasSessions:
    """The part of SSLContext that takes sessions from elsewhere."""

    __slots__ = ()

    def load_session(self, data: Buffer) -> SSLSession:
        """The session that SSLSession.to_bytes() was called for, in this process or another, for `session=` here.

        Raises ValueError if `data` is no session, or one that was made on other terms: to verify otherwise, with other
        trust, ciphers or an own certificate of another client. Terms are compared before OpenSSL parses anything.
        An expired session is loaded, but of no use: see SSLSession.expires. `data` must be as secret as a key, and from
        nobody else: who wrote it knows what the session protects. Since 0.1. Source: an addition to `ssl`.

        OpenSSL: d2i_SSL_SESSION(3)
        """
        session: SSLSession = _sessions.load_session(self, data)
        return session
