"""MoreVerbs: what a connection can do beyond `ssl`, the same for SSLSocket and SSLObject."""

from __future__ import annotations

from wiretight._core.drivers.rekeying import key_update
from wiretight._standard.errors import SSLEOFError, SSLError, SSLZeroReturnError
from wiretight._standard.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

    from wiretight._core.drivers.sslsocket import _SSLSocket


class MoreVerbs:
    """Methods with names of their own: none of them changes what a method of `ssl` means."""

    __slots__ = ()
    _sslobj: _SSLSocket | None

    def peek(self, n: int = 1024) -> bytes:
        """Up to `n` decrypted bytes, which the next read returns again; b"" at the end.

        It waits for the first byte as a read does, and returns at most what is left of one record (16 KiB), so that it
        may return fewer bytes than have arrived. What it raises, the next read raises too. Raises ValueError for a
        negative `n` and without a TLS connection, otherwise what read() raises. Since 0.1.
        Source: an addition to `ssl`; `recv()` with MSG_PEEK. OpenSSL: SSL_peek_ex(3)
        """
        sslobj = self._wrapped()
        try:
            return sslobj.peek(n)
        except (SSLEOFError, SSLZeroReturnError) as error:
            if not self._is_end(error):
                raise
            return b""

    def sendv(self, buffers: Iterable[Buffer]) -> int:
        """Encrypts and sends several bytes-like objects as if they were one, and returns how many bytes were accepted.

        Small ones share records and leave in one system call; large ones are not copied. The rest is as for send(): a
        part may be accepted on a non-blocking socket and when the timeout expires, and a retry has to begin with the
        same bytes, however they are divided.

        Raises TypeError, and sends nothing, if one of them is not bytes-like; ValueError without a TLS connection;
        otherwise what send() raises. Since 0.1. Source: an addition to `ssl`; writev(2). OpenSSL: SSL_write_ex(3)
        """
        return self._wrapped().sendv(buffers)

    def close_notify(self) -> None:
        """Tells the peer that nothing follows. TCP stays open, and what the peer still sends can be read to its end.

        Unlike unwrap(), it does not wait for the peer's close_notify, and unlike shutdown(SHUT_WR) it leaves the socket
        as it is, for a protocol that goes on without TLS or a proxy that reacts to a half-closed socket. After it, a
        send raises SSLError (PROTOCOL_IS_SHUTDOWN). It may be called again.

        Raises SSLError before the handshake, ValueError without a TLS connection; on a non-blocking socket
        SSLWantWriteError while the system accepts nothing: call it again. Since 0.1.
        Source: an addition to `ssl`; RFC 8446, section 6.1. OpenSSL: SSL_shutdown(3)
        """
        self._wrapped().close_writing()

    def key_update(self, *, request_peer: bool = False) -> None:
        """Encrypts what is sent from now on with new keys; with `request_peer`, has the peer do the same.

        The old keys are forgotten, so that who steals the new ones cannot decrypt what was sent before. It never waits:
        what the system does not accept now leaves with the next send or read. The peer's answer is part of what the
        next read meets. SSLContext.key_update_after does it by itself. Under asyncio, use the transport's method of
        this name.

        Raises ValueError before the handshake is done, on TLS 1.2, which has no key update, and without a TLS
        connection; after close_notify() SSLError (PROTOCOL_IS_SHUTDOWN); SSLError and OSError as send() does.
        Since 0.1. Source: an addition to `ssl`; RFC 8446, section 4.6.3. OpenSSL: SSL_key_update(3)
        """
        key_update(self._wrapped(), request_peer=request_peer)

    def _wrapped(self) -> _SSLSocket:
        if (sslobj := self._sslobj) is None:
            raise ValueError(f"No SSL wrapper around {self}")
        return sslobj

    def _is_end(self, error: SSLError) -> bool:  # noqa: ARG002
        """Whether this error of a read means the end of data to this program."""
        return False
