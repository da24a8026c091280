"""The files of makefile() that are written through a buffer: one deadline for everything a buffer writes at once."""

from __future__ import annotations

from socket import SocketIO

from wiretight._standard.system import PlainSocket, io
from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.sendfile import part_sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer


class MakesFiles:
    """makefile() of SSLSocket. Files that only read, and those without a buffer, are as any socket's."""

    if not TYPE_CHECKING:  # where it has the types of a socket's

        def makefile(self, mode="r", buffering=None, *, encoding=None, errors=None, newline=None):
            """A file over this connection, as of any socket; the socket's timeout applies to each of its writes.

            Raises ValueError for a mode other than "r", "w" and "b". Since 0.1. Source: `socket.socket.makefile`.
            """
            if "w" not in mode or buffering == 0:
                text = {"encoding": encoding, "errors": errors, "newline": newline}
                return PlainSocket.makefile(self, mode, buffering, **text)
            raw = PlainSocket.makefile(self, mode if "b" in mode else f"{mode}b", 0)
            raw.__class__ = _Writing
            size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
            buffered = io.BufferedRWPair(raw, raw, size) if "r" in mode else io.BufferedWriter(raw, size)
            if "b" in mode:
                return buffered
            written = io.TextIOWrapper(buffered, encoding, errors, newline)
            written.mode = mode
            return written


class _Writing(SocketIO):
    """The raw file that a buffer writes to, again and again until everything is sent.

    A send() that times out after a part returns its length. The buffer then continues with the rest, and must not get
    the full timeout again: a peer that reads a byte now and then would keep the caller waiting forever.
    """

    _sock: Any
    _unfinished: Callable[[Buffer], int] | None = None  # with the deadline of the previous write, which sent a part

    def write(self, b: Buffer) -> int | None:
        sslobj = getattr(self._sock, "_sslobj", None)
        if sslobj is None:
            return super().write(b)
        send = self._unfinished or part_sender(self._sock, sslobj)
        self._unfinished = None
        try:
            sent = send(b)
        except BlockingIOError:  # from a program's send(); a buffer expects None
            return None
        if sent < memoryview(b).nbytes:
            self._unfinished = send
        return sent
