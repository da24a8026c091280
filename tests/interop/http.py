"""As much of an HTTP server as curl and browsers need."""

from __future__ import annotations

from typing import Any

GREETING = b"hello, curl\n"


def read_request(sock: Any) -> tuple[str, bytes]:
    """The path and the body of one request; no path where the client has hung up instead."""
    with sock.makefile("rb") as request:
        words = request.readline().decode().split()
        length = 0
        while (line := request.readline().strip().lower()) != b"":
            name, _, value = line.partition(b":")
            if name == b"content-length":
                length = int(value)
        return words[1] if words else "", request.read(length)


def send_answer(sock: Any, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    sock.sendall(head % len(body) + body)


def answer(sock: Any) -> None:
    """A Server's handler: one request; the response is the request's body, or the greeting without one."""
    _, body = read_request(sock)
    send_answer(sock, body or GREETING)
