"""The files of makefile() that are written through a buffer: one deadline for what a buffer writes at once."""

from __future__ import annotations

from socket import SocketIO

from wiretight._standard.system import PlainSocket, io
from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.sendfile import part_sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer


class MakesFiles:
    """The part of SSLSocket that makes files. Those that only read, and those without a buffer, are as any socket's."""

    if not TYPE_CHECKING:  # where it has the types of a socket's

        def makefile(self, mode="r", buffering=None, *, encoding=None, errors=None, newline=None):
            """A file over this connection, as of any socket; what it is asked to write has the socket's timeout.

            Raises ValueError for another mode than of "r", "w" and "b". Since 0.1. Source: `socket.socket.makefile`.
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
    """What a buffer writes to, again and again until everything is gone.

    A send() whose time is up after a part says how much that was. The buffer then goes on with the rest, and must not
    get all of the time anew: a peer that takes a byte now and then would keep the caller for ever.
    """

    _sock: Any
    _goes_on: Callable[[Buffer], int] | None = None  # within the time of the write before, which sent a part

    def write(self, b: Buffer) -> int | None:
        sslobj = getattr(self._sock, "_sslobj", None)
        if sslobj is None:
            return super().write(b)
        send = self._goes_on or part_sender(self._sock, sslobj)
        self._goes_on = None
        try:
            sent = send(b)
        except BlockingIOError:  # of a program's send(); to a buffer it is None
            return None
        if sent < memoryview(b).nbytes:
            self._goes_on = send
        return sent
