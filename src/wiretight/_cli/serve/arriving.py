"""Arriving: what a client sends, read until a deadline, however slowly its bytes come."""

import io
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Arriving(io.RawIOBase):
    """The bytes of a socket, as a raw stream whose reads raise TimeoutError from a moment on."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._deadline = 0.0

    def expect(self, seconds: float) -> None:
        """From now on, until so many seconds from now."""
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """What has come, b"" at the end. Sets the socket's timeout."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)
