"""A peer that sends continuously."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.kit.deliveries import shut
from tests.kit.threads import PATIENCE


class Sender:
    """A peer that sends the data of `pieces`, one every `rest` seconds, until it is stopped."""

    def __init__(self, plain: socket.socket, pieces: Iterator[bytes], rest: float = 0) -> None:
        plain.settimeout(PATIENCE)
        self.plain, self.pieces, self.rest = plain, pieces, rest
        self.stopped = threading.Event()
        self.sent = 0
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        with contextlib.suppress(OSError):
            for piece in self.pieces:
                self.plain.sendall(piece)
                self.sent += 1
                if self.stopped.wait(self.rest) if self.rest else self.stopped.is_set():
                    return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        shut(self.plain)
        self.thread.join()
