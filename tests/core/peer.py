"""One SSLSocket, and at the other end of its transport a peer whose every byte the test controls."""

from __future__ import annotations

import fcntl
import select
import socket
import ssl as standard
import struct
import termios
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import HOST
from tests.kit.pair import WANT, attempt, memory_bio
from tests.kit.sockets import tcp_pair
from tests.kit.threads import PATIENCE


def readable(sock: socket.socket) -> bool:
    """What select() reports now."""
    return bool(select.select([sock], [], [], 0)[0])


def in_kernel(sock: socket.socket) -> int:
    """How many bytes a recv() of the plain socket would find."""
    (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))
    return int(count)


def asleep(thread: threading.Thread) -> bool:
    """Whether the thread is in a waiting system call. Only Linux reports that."""
    stat = Path(f"/proc/self/task/{thread.native_id}/stat")
    if not stat.exists():
        pytest.skip("this system does not say whether a thread waits")
    return stat.read_text().rpartition(")")[2].split()[0] == "S"


def until(condition: Callable[[], Any], what: str) -> None:
    """Returns when the condition holds, which needs another thread or the kernel."""
    for _ in range(int(PATIENCE * 1000)):
        if condition():
            return
        select.select([], [], [], 0.001)
    raise AssertionError(f"after {PATIENCE:g} s it is still not true that {what}")


class Peer:
    """`sock`, a non-blocking SSLSocket after its handshake; `tls`, an SSLObject, is the other end of its TLS.

    `plain` is the other end of its transport. What `tls` encrypts reaches `sock` when the test delivers it, in pieces
    as the test makes them; what `sock` sends stays in the kernel until the test drains it.
    """

    def __init__(
        self,
        client_context: Any,
        server_context: Any,
        *,
        server_side: bool = False,
        transport: Callable[[], tuple[socket.socket, socket.socket]] = tcp_pair,
        suppress_ragged_eofs: bool = True,
        handshake: bool = True,
    ) -> None:
        near, self.plain = transport()
        self.plain.setblocking(False)
        near.setblocking(False)
        own, other = (server_context, client_context) if server_side else (client_context, server_context)
        self.incoming, self.outgoing = memory_bio(other), memory_bio(other)
        name = {"server_hostname": HOST}
        self.tls = other.wrap_bio(
            self.incoming, self.outgoing, server_side=not server_side, **(name if server_side else {})
        )
        self.sock = own.wrap_socket(
            near,
            server_side=server_side,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=suppress_ragged_eofs,
            **({} if server_side else name),
        )
        self.at_eof = False
        if handshake:
            self.handshake()

    def handshake(self) -> None:
        """Completes the handshake, and leaves nothing in flight, not even a session ticket."""
        unfinished = [self.sock, self.tls]
        while unfinished:
            unfinished = [side for side in unfinished if attempt(side.do_handshake) is WANT]
            self.deliver(self.outgoing.read())
            self.drain()
        self.deliver(self.encrypt(b"!"))
        assert self.sock.recv(1) == b"!"
        assert not readable(self.sock)

    # --- Towards the socket -------------------------------------------------------------------------------------------

    def encrypt(self, data: bytes) -> bytes:
        """The records of `data`, not delivered."""
        self.tls.write(data)
        return bytes(self.outgoing.read())

    def close_notify(self) -> bytes:
        """The record of close_notify, not delivered."""
        attempt(self.tls.unwrap)
        return bytes(self.outgoing.read())

    def deliver(self, raw: bytes) -> None:
        """Sends bytes and waits until all of them lie in the kernel at the socket's end."""
        expected = in_kernel(self.sock)
        while raw:
            sent = self.plain.send(raw)
            expected += sent
            raw = raw[sent:]
            until(partial(self._has, expected), "what was sent has arrived")

    def _has(self, size: int) -> bool:
        return in_kernel(self.sock) >= size

    # --- From the socket ----------------------------------------------------------------------------------------------

    def drain(self, most: int = 1 << 30) -> int:
        """Takes up to `most` bytes out of the kernel and shows them to `tls`; returns how many there were."""
        taken = 0
        while taken < most:
            try:
                raw = self.plain.recv(min(65536, most - taken))
            except (BlockingIOError, standard.SSLWantReadError):  # of a transport that is TLS itself
                break
            if not raw:
                self.at_eof = True
                break
            self.incoming.write(raw)
            taken += len(raw)
        return taken

    def decrypted(self) -> bytes:
        """What `tls` can read of the drained bytes."""
        parts = []
        while (data := attempt(self.tls.read, 65536)) is not WANT and data:
            parts.append(data)
        return b"".join(parts)

    def close(self) -> None:
        self.plain.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
