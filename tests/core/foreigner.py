"""A foreign file that reuses the descriptor of a closed TLS socket."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

_turns = itertools.count()

_WAITING = b"not TLS"  # what lies in a socket or a pipe for whoever has the number


class Foreigner:
    """In turn a file, a socket, and the reading end of a pipe, at `number`, which was closed."""

    def __init__(self, folder: Path, number: int, kinds: tuple[str, ...] = ("file", "socket", "pipe")) -> None:
        self.number = number
        self.path = folder / "foreign"
        self.kind = kinds[next(_turns) % len(kinds)]
        self.far = -1
        if self.kind == "file":
            own = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        else:
            own, self.far = os.pipe() if self.kind == "pipe" else (end.detach() for end in socket.socketpair())
            if self.far == number:
                self.far = os.dup(self.far)
            os.set_blocking(self.far, False)
            os.write(self.far, _WAITING)
        if own != number:
            os.dup2(own, number)
            os.close(own)

    def foreign_bytes(self) -> bytes:
        """The bytes that somebody wrote into it."""
        if self.kind == "file":
            return self.path.read_bytes()
        try:
            return os.read(self.far, 65536) if self.kind == "socket" else b""
        except BlockingIOError:
            return b""

    def close(self) -> None:
        if self.kind != "file":
            os.close(self.far)
            left = os.read(self.number, 100)
            assert left == _WAITING, f"somebody read from it: {left!r} is left"
        os.close(self.number)
