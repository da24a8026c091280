"""One flight of bytes, delivered in different pieces: TLS must not care where a read happens to end.

A delivery is a function from bytes to pieces. `Pair` uses it on memory BIOs; `Relay` and `deliver` on sockets, where a
piece is sent only after the receiver has taken the one before, so that the kernel cannot glue them together again.
"""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import struct
import termios
import threading
from collections.abc import Callable, Iterable, Iterator

from tests.kit.records import records

Delivery = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> Iterator[bytes]:
    if data:
        yield data


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        yield data[at : at + 1]


def record_by_record(data: bytes) -> Iterator[bytes]:
    for record in records(data):
        yield record.raw


DELIVERIES = (whole, byte_by_byte, record_by_record)


class Stopped(Exception):
    """The relay was closed before the receiver had read everything, which is no error."""


def deliver(sender: socket.socket, data: bytes, delivery: Delivery, stopped: threading.Event | None = None) -> None:
    """Send `data` over an AF_UNIX stream socket, each piece once the receiver has read the one before."""
    for piece in delivery(data):
        sender.sendall(piece)
        wait_until_taken(sender, stopped)


def wait_until_taken(sender: socket.socket, stopped: threading.Event | None = None) -> None:
    """Return when the receiver has read everything that `sender` sent, or has closed its end."""
    # An AF_UNIX socket counts what its peer has not read yet; a TCP socket counts what has not been acknowledged, which
    # says nothing about the reader. No descriptor can be waited on for this, hence the look every so often.
    assert sender.family == socket.AF_UNIX, "only an AF_UNIX socket knows what its peer has taken"
    looks = 0
    while unread_by_peer(sender):
        if stopped is not None and stopped.is_set():
            raise Stopped
        select.select([], [], [], 0 if looks < 200 else 0.0005)
        looks += 1


def unread_by_peer(sender: socket.socket) -> int:
    """How much kernel memory the unread bytes use: more than their number, but 0 exactly if there are none."""
    (unread,) = struct.unpack("i", fcntl.ioctl(sender, termios.TIOCOUTQ, bytes(4)))
    return unread


class Relay:
    """Two connected sockets, `client` and `server`, and threads between them that deliver in pieces.

    The end of one side's stream is forwarded to the other. Closing the relay closes what is left of both.
    """

    def __init__(self, delivery: Delivery) -> None:
        self.client, near = socket.socketpair()
        self.server, far = socket.socketpair()
        self._inner = (near, far)
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._carry, args=(source, sink, delivery), name="relay")
            for source, sink in ((near, far), (far, near))
        ]
        for thread in self._threads:
            thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, delivery: Delivery) -> None:
        held = b""
        try:
            while received := source.recv(65536):
                held += received
                ready, held = self._split(held, delivery)
                deliver(sink, ready, delivery, self._stopped)
            deliver(sink, held, delivery, self._stopped)
            sink.shutdown(socket.SHUT_WR)
        except (Stopped, OSError):
            # An end is closed: the one that remains must hear of it.
            for sock in (source, sink):
                shut(sock)

    @staticmethod
    def _split(held: bytes, delivery: Delivery) -> tuple[bytes, bytes]:
        """What can be delivered now, and what waits for the rest of its record."""
        if delivery is not record_by_record:
            return held, b""
        complete = b"".join(record.raw for record in records(held) if record.complete)
        return complete, held[len(complete) :]

    def close(self) -> None:
        self._stopped.set()
        for sock in self._inner:
            shut(sock)
        for thread in self._threads:
            thread.join()
        for sock in (*self._inner, self.client, self.server):
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def shut(sock: socket.socket) -> None:
    """Shut both directions of a socket down, whatever state it is in, and behind the back of a TLS socket."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
