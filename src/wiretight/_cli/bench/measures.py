"""Measures: what is measured, with either module in turn.

Each takes the contexts of a module, and returns the processor's time for one of what it counts, of both ends
together: they are threads of this process, connected by loopback TCP. The connections exist before the clock starts.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from wiretight._cli.bench.certificate import NAME

_HANDSHAKES = 40
_ROUND_TRIPS = 1000
_PIECES, _PIECE = 256, 65536  # 16 MiB
_CONTEXTS = 5
_SECONDS = 60.0  # for any one call: nothing here waits for somebody else

MIB = 1024 * 1024


@dataclass(frozen=True)
class Ends:
    """The contexts of both ends, made by one module: TLS 1.3, X25519, and what else it has by default."""

    module: ModuleType
    client: Any
    server: Any

    @classmethod
    def made(cls, module: ModuleType, certificate: Path) -> "Ends":
        """With this certificate."""
        client, server = (module.SSLContext(kind) for kind in (module.PROTOCOL_TLS_CLIENT, module.PROTOCOL_TLS_SERVER))
        client.load_verify_locations(certificate)
        server.load_cert_chain(certificate)
        for context in (client, server):
            context.minimum_version = module.TLSVersion.TLSv1_3
        client.set_ecdh_curve("X25519")
        return cls(module, client, server)


@dataclass(frozen=True)
class Measure:
    """`take` returns seconds; `unit` and `scale` are for the reader."""

    name: str
    unit: str
    scale: float
    take: Callable[[Ends], float]


def full_handshake(ends: Ends) -> float:
    """Of a handshake, up to the first byte of the server's."""
    return _handshakes(ends, resumes=False)


def resumed_handshake(ends: Ends) -> float:
    """Of one that resumes the session of the connection before."""
    return _handshakes(ends, resumes=True)


def ping_pong(ends: Ends) -> float:
    """Of a message of 64 bytes and its answer."""

    def echo(end: Any) -> None:
        for _ in range(_ROUND_TRIPS):
            end.sendall(end.recv(64))

    with _connected(ends, echo) as client:
        message = bytes(64)
        begun = time.process_time()
        for _ in range(_ROUND_TRIPS):
            client.sendall(message)
            client.recv(64)
        return (time.process_time() - begun) / _ROUND_TRIPS


def bulk(ends: Ends) -> float:
    """Of a MiB, sent in pieces of 64 KiB and received into a buffer."""

    def send(end: Any) -> None:
        piece = bytes(_PIECE)
        end.recv(1)
        for _ in range(_PIECES):
            end.sendall(piece)

    with _connected(ends, send) as client:
        left, buffer = _PIECES * _PIECE, bytearray(_PIECE)
        begun = time.process_time()
        client.sendall(b"x")
        while left:
            count = client.recv_into(buffer)
            if not count:
                raise ConnectionError("the connection ended in the middle of a measurement")
            left -= count
        return (time.process_time() - begun) / (_PIECES * _PIECE / MIB)


def default_context(ends: Ends) -> float:
    """Of a client's default context, with the CA certificates of this system, as each `requests.get` may make one."""
    ends.module.create_default_context()  # wiretight reads the file once
    begun = time.process_time()
    for _ in range(_CONTEXTS):
        ends.module.create_default_context()
    return (time.process_time() - begun) / _CONTEXTS


MEASURES = (
    Measure("handshake, full", "µs", 1e6, full_handshake),
    Measure("handshake, resumed", "µs", 1e6, resumed_handshake),
    Measure("64 bytes and back", "µs", 1e6, ping_pong),
    Measure("bulk, per MiB", "µs", 1e6, bulk),
    Measure("default context", "ms", 1e3, default_context),
)


def _handshakes(ends: Ends, resumes: bool) -> float:
    pairs = [_pair() for _ in range(_HANDSHAKES + 1)]
    session, begun = None, 0.0

    def serve() -> None:
        for _, far in pairs:
            with ends.server.wrap_socket(far, server_side=True) as end:
                end.sendall(b"k")

    with _running(serve, [sock for pair in pairs for sock in pair]):
        for number, (near, _) in enumerate(pairs):
            if number == 1:  # the first makes the session, and fills the caches
                begun = time.process_time()
            with ends.client.wrap_socket(near, server_hostname=NAME, session=session) as client:
                client.recv(1)
                if resumes:
                    if number and not client.session_reused:
                        raise ConnectionError("a session was not resumed in a measurement")
                    session = client.session
        return (time.process_time() - begun) / _HANDSHAKES


@contextmanager
def _connected(ends: Ends, serve: Callable[[Any], None]) -> Iterator[Any]:
    """The client's end of a connection, whose other end is served in a thread."""
    near, far = _pair()

    def run() -> None:
        with ends.server.wrap_socket(far, server_side=True) as end:
            serve(end)

    with _running(run, [near, far]), ends.client.wrap_socket(near, server_hostname=NAME) as client:
        yield client


@contextmanager
def _running(serve: Callable[[], None], sockets: list[socket.socket]) -> Iterator[None]:
    """While `serve` runs in a thread. Its exception is raised, unless there is one already."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            serve()
        except BaseException as failure:  # for whoever waits
            failures.append(failure)
            for sock in sockets:
                sock.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
        thread.join(_SECONDS)  # but not after Ctrl-C: the other end would wait for what does not come
    finally:
        for sock in sockets:
            sock.close()
    if failures:
        raise failures[0]


def _pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=_SECONDS)
        far, _ = listener.accept()
    for end in (near, far):
        end.settimeout(_SECONDS)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far
