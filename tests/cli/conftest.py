"""A web server for the clients of this folder, and one that is anything but a TLS server."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit.certificates import ADDRESS, Certificates
from wiretight._cli.serve.httpsserver import HTTPSServer

PAGE = b"a page\n" * 1000

Serving = Callable[[Any], int]


class _Pages(http.server.BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def serving() -> Iterator[Serving]:
    """Start an HTTPS server with a context; returns its port. It serves until the test ends."""
    with contextlib.ExitStack() as stack:

        def serve(context: Any) -> int:
            server = stack.enter_context(HTTPSServer((ADDRESS, 0), _Pages, context))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return server.server_port

        yield serve


@pytest.fixture
def web_port(serving: Serving, certificates: Certificates) -> int:
    """The port of an HTTPS server whose certificate is in order."""
    return serving(certificates.server_context())


@pytest.fixture
def saying() -> Iterator[Callable[..., int]]:
    """Start a server that sends the given lines, each after it has received one; returns its port."""
    with contextlib.ExitStack() as stack:

        def serve(*lines: bytes, then: Callable[[socket.socket], None] = lambda _sock: None) -> int:
            listener = stack.enter_context(socket.create_server((ADDRESS, 0)))
            thread = threading.Thread(target=_say, args=(listener, lines, then))
            thread.start()
            stack.callback(thread.join)
            # Wakes an accept() that nobody is going to serve any more.
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return int(listener.getsockname()[1])

        yield serve


def _say(listener: socket.socket, lines: tuple[bytes, ...], then: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock, contextlib.suppress(OSError):
            for at, line in enumerate(lines):
                if at:
                    sock.recv(4096)
                sock.sendall(line)
            then(sock)
