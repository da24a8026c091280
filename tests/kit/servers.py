"""A threaded TLS server on loopback. Whose TLS it speaks is the context's business: the subject's or the standard's."""

from __future__ import annotations

import queue
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.kit.certificates import ADDRESS
from tests.kit.deliveries import shut
from tests.kit.sockets import connect, receive_exactly
from tests.kit.threads import PATIENCE

Handler = Callable[[Any], None]

LENGTH = 8


class Seen(NamedTuple):
    """What the server's side of a connection reported right after its handshake."""

    version: str
    cipher: tuple[str, str, int]
    alpn: str | None
    certificate: dict[str, Any] | None
    session_reused: bool


def echo(sock: Any) -> None:
    """Send back data as it arrives. For messages that fit into the socket buffers."""
    while data := sock.recv(65536):
        sock.sendall(data)


def echo_messages(sock: Any) -> None:
    """Send back whole messages, each after its length: neither side ever sends while the other does."""
    while header := receive_exactly(sock, LENGTH):
        sock.sendall(header + receive_exactly(sock, int.from_bytes(header, "big")))


def message(data: bytes) -> bytes:
    """`data` as echo_messages expects it, and as it answers."""
    return len(data).to_bytes(LENGTH, "big") + data


class Server:
    """Accepts until its `with` block ends; a thread for each connection: handshake, handler, unwrap, close.

    An error of a connection is raised at the end of the block, unless the test has retrieved it with `next_error()`, or
    does not mind how connections end (`errors_ok`).
    """

    def __init__(
        self, context: Any, handler: Handler = echo, *, ragged_eof_ok: bool = False, errors_ok: bool = False
    ) -> None:
        self.context = context
        self.handler = handler
        self.ragged_eof_ok = ragged_eof_ok
        self.errors_ok = errors_ok
        self._seen: queue.Queue[Seen] = queue.Queue()
        self._errors: queue.Queue[Exception] = queue.Queue()
        self._connections: list[tuple[threading.Thread, Any]] = []
        self._listener = socket.create_server((ADDRESS, 0))
        self._listener.setblocking(False)
        self.address = self._listener.getsockname()
        self.port = self.address[1]
        self._stop, self._stopped = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="accept")

    def next_seen(self) -> Seen:
        """The facts of the next connection whose handshake succeeded; waits for it."""
        return self._seen.get(timeout=PATIENCE)

    def all_seen(self) -> list[Seen]:
        """The facts of every such connection that next_seen() has not returned, in order. For after the block."""
        return [self._seen.get() for _ in range(self._seen.qsize())]

    def next_error(self) -> Exception:
        """The next error of a connection; waits for it. The end of the block will not raise it."""
        return self._errors.get(timeout=PATIENCE)

    def connect(self, context: Any, **options: Any) -> Any:
        """A client's SSLSocket, connected to this server and through the handshake. Options are those of `connect`."""
        return connect(context, self.address, **options)

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while self._stopped not in [key.fileobj for key, _ in selector.select()]:
                plain, _ = self._listener.accept()
                plain.setblocking(True)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._start(plain)

    def _start(self, plain: socket.socket) -> None:
        try:
            sock = self.context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=self.ragged_eof_ok
            )
        except Exception as error:
            plain.close()
            self._errors.put(error)
            return
        thread = threading.Thread(target=self._serve, args=(sock,), name="serve")
        self._connections.append((thread, sock))
        thread.start()

    def _serve(self, sock: Any) -> None:
        with sock:
            try:
                sock.do_handshake()
                facts = sock.version(), sock.cipher(), sock.selected_alpn_protocol(), sock.getpeercert()
                self._seen.put(Seen(*facts, sock.session_reused))
                self.handler(sock)
                if not self.ragged_eof_ok:
                    sock.unwrap()
            except Exception as error:
                self._errors.put(error)

    def __enter__(self):
        self._acceptor.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.send(b"x")
        self._acceptor.join()
        for sock in (self._stop, self._stopped, self._listener):
            sock.close()
        for thread, sock in self._connections:
            if kind is not None:
                # The test has failed and may have left its end open: the handler must not wait for it.
                shut(sock)
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the handler of a connection has not ended; is the client still open?"
        if kind is None and not self.errors_ok and not self._errors.empty():
            raise self._errors.get()
