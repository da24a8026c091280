"""As much of an HTTP server as curl needs."""

from __future__ import annotations

from typing import Any

GREETING = b"hello, curl\n"


def answer(sock: Any) -> None:
    """A Server's handler: one request; the answer is the request's body, or the greeting where there is none."""
    with sock.makefile("rb") as request:
        length = 0
        while (line := request.readline().strip().lower()) != b"":
            name, _, value = line.partition(b":")
            if name == b"content-length":
                length = int(value)
        body = request.read(length) or GREETING
    sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
