"""An HTTP proxy's CONNECT, for a Server whose context makes it an HTTPS proxy: what it carries is TLS in TLS."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from tests.kit.deliveries import shut
from tests.kit.threads import PATIENCE, Task

END = b"\r\n\r\n"


def connect_request(address: tuple[str, int]) -> bytes:
    """The request that tunnel() answers."""
    host, port = address
    return f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()


def read_head(sock: Any) -> bytes:
    """The head of a request or of a response, and nothing behind it."""
    head = b""
    while not head.endswith(END):
        byte = sock.recv(1)
        assert byte, f"the connection ended after {head!r}"
        head += byte
    return head


def tunnel(sock: Any) -> None:
    """A handler of Server: connects to whom the client names, then hands bytes on both ways until both have ended."""
    host, _, port = read_head(sock).split()[1].decode().rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as far:
        far.settimeout(None)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"HTTP/1.1 200 Connection established" + END)
        outwards = Task(hand_on, sock, far)
        hand_on(far, sock)
        outwards.result()


def hand_on(source: Any, sink: Any) -> None:
    """Everything that comes, and its end. An end that is broken ends both."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        for sock in (source, sink):
            shut(sock)
