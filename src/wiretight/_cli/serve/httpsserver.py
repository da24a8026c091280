"""HTTPSServer: the standard library's threading HTTP server over our sockets."""

import contextlib
import http.server
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import wiretight as ssl
from wiretight._cli.errors import PLAIN_HTTP, what_happened
from wiretight._cli.serve import plainhttp

CONNECTIONS = 400  # at once; of the 1,024 descriptors that a process usually has, each takes up to two
HANDSHAKE_SECONDS = 10.0
CLOSE_SECONDS = 2.0

_BLOCK = 64 * 1024


class HTTPSServer(http.server.ThreadingHTTPServer):
    """Serves HTTPS, each connection in a thread of its own.

    The handshake runs in that thread and under a deadline. Accepting is plain TCP, so that a silent client does not
    delay the others. Connections over the limit wait until another ends.
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
        connections: int = CONNECTIONS,
    ) -> None:
        self._context = context
        self._places = threading.Semaphore(connections)
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

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the connection's thread, as soon as there is a place for it."""
        self._places.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The connection's thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handshake, serve and close; runs in the connection's own thread."""
        deadline = time.monotonic() + self._handshake_seconds
        request.settimeout(self._handshake_seconds)
        if plainhttp.is_plain_http(request.recv(1, socket.MSG_PEEK)):
            self._note(f"{client_address[0]} {PLAIN_HTTP}")
            with contextlib.suppress(OSError):
                _refuse(request, self.server_port, deadline)
            return
        request.settimeout(_left(deadline))
        with self._context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as tls:
            try:
                tls.do_handshake()
            except ssl.SSLError:
                with socket.socket(fileno=tls.detach()) as plain, contextlib.suppress(OSError):
                    _end(plain, time.monotonic() + CLOSE_SECONDS)  # it may not have read our alert yet
                raise
            self._handler(tls, client_address, self)
            with contextlib.suppress(OSError, ValueError):  # clients often close first
                _end(tls, time.monotonic() + CLOSE_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the base class's
        """One line for a connection that failed; the server continues."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception):
            sentence = what_happened(error) if isinstance(error, OSError) else repr(error)
            self._note(f"{client_address[0]} {sentence}")


def _refuse(sock: socket.socket, port: int, deadline: float) -> None:
    request = b""
    with contextlib.suppress(TimeoutError):  # what has come is enough to know what it is
        while not plainhttp.is_complete(request):
            sock.settimeout(_left(deadline))
            if not (data := sock.recv(plainhttp.LIMIT)):
                break
            request += data
    sock.sendall(plainhttp.refusal(request, port))
    _end(sock, time.monotonic() + CLOSE_SECONDS)


def _end(sock: socket.socket, deadline: float) -> None:
    """End our direction, and drain the other: TCP would otherwise reset the connection, and lose what we said last."""
    sock.shutdown(socket.SHUT_WR)
    while (left := deadline - time.monotonic()) > 0:
        sock.settimeout(left)
        if not sock.recv(_BLOCK):
            break


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
