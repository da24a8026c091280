"""HTTPSServer: the standard library's threading HTTP server over our sockets."""

import contextlib
import http.server
import socket
import socketserver
import sys
import time
from collections.abc import Callable
from typing import Any

import wiretight as ssl
from wiretight._cli.errors import what_happened

HANDSHAKE_SECONDS = 10.0
CLOSE_SECONDS = 2.0

_BLOCK = 64 * 1024


class HTTPSServer(http.server.ThreadingHTTPServer):
    """Serves HTTPS, each connection in a thread of its own.

    The handshake runs in that thread and under a deadline. Accepting is plain TCP, so that a silent client does not
    delay the others.
    """

    daemon_threads = True
    request_queue_size = 128  # socketserver's 5 would drop some of 50 simultaneous clients

    def __init__(
        self,
        address: tuple[str, int],
        handler: Callable[..., http.server.BaseHTTPRequestHandler],
        context: ssl.SSLContext,
        note: Callable[[str], None] = lambda _line: None,
        handshake_seconds: float = HANDSHAKE_SECONDS,
    ) -> None:
        self._context = context
        self._note = note
        self._handshake_seconds = handshake_seconds
        self._handler = handler
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind, without the DNS lookup of this machine's name in http.server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handshake, serve and close; runs in the connection's own thread."""
        request.settimeout(self._handshake_seconds)
        with self._context.wrap_socket(request, server_side=True) as tls:
            self._handler(tls, client_address, self)
            with contextlib.suppress(OSError, ValueError):  # clients often close first
                _close(tls)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the base class's
        """One line for a connection that failed; the server continues."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception):
            sentence = what_happened(error) if isinstance(error, OSError) else repr(error)
            self._note(f"{client_address[0]} {sentence}")


def _close(tls: ssl.SSLSocket) -> None:
    """Send close_notify, and drain the connection: TCP would otherwise reset it, and lose our last response."""
    deadline = time.monotonic() + CLOSE_SECONDS
    tls.shutdown(socket.SHUT_WR)
    while (left := deadline - time.monotonic()) > 0:
        tls.settimeout(left)
        if not tls.recv(_BLOCK):
            break
