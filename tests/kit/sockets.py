"""Connected sockets on loopback, plain and wrapped, and one way to drive them in every mode of blocking."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl as standard
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.kit.certificates import ADDRESS, HOST
from tests.kit.threads import PATIENCE


class Mode(NamedTuple):
    """How a socket waits, by the argument of settimeout()."""

    name: str
    timeout: float | None


BLOCKING = Mode("blocking", None)
WITH_TIMEOUT = Mode("timeout", PATIENCE)
NON_BLOCKING = Mode("non-blocking", 0.0)
MODES = (BLOCKING, WITH_TIMEOUT, NON_BLOCKING)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection on loopback: the one that connected, and the one that was accepted."""
    with socket.create_server((ADDRESS, 0)) as listener:
        client = socket.create_connection(listener.getsockname(), PATIENCE)
        server, _ = listener.accept()
    client.settimeout(None)
    for sock in (client, server):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def free_port() -> int:
    """For servers that need a number: free now, and below those from which Linux, BSD and Windows choose for port 0.

    One of those is chosen again by one in 8,000 of the sockets that other tests open meanwhile.
    """
    for port in random.SystemRandom().sample(range(16384, 32768), 1000):
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port
    raise AssertionError("none of 1,000 ports is free")


def unix_pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


TRANSPORTS = (tcp_pair, unix_pair)


def driven(sock: Any, operation: Callable[..., Any], *args: Any) -> Any:
    """The result of the operation: waits with select() as often as a non-blocking socket needs it."""
    while True:
        try:
            return operation(*args)
        except standard.SSLWantReadError:
            ready, _, _ = select.select([sock], [], [], PATIENCE)
        except standard.SSLWantWriteError:
            _, ready, _ = select.select([], [sock], [], PATIENCE)
        assert ready, f"{operation.__name__} has been waiting for {PATIENCE:g} s"


def send_all(sock: Any, data: bytes) -> None:
    """sendall() in every mode: send() until nothing is left, the same bytes again after every want."""
    unsent = memoryview(data)
    while unsent:
        unsent = unsent[driven(sock, sock.send, unsent) :]


def receive_exactly(sock: Any, size: int) -> bytes:
    """`size` bytes, in every mode; fewer only if the stream ends before."""
    received = bytearray()
    while len(received) < size:
        data = driven(sock, sock.recv, min(65536, size - len(received)))
        if not data:
            break
        received += data
    return bytes(received)


def receive_all(sock: Any) -> bytes:
    """Everything up to the end of the stream, in every mode."""
    received = bytearray()
    while data := driven(sock, sock.recv, 65536):
        received += data
    return bytes(received)


def connect(context: Any, address: tuple[str, int], *, mode: Mode = WITH_TIMEOUT, **options: Any) -> Any:
    """A client's SSLSocket, connected and through the handshake; `options` go to wrap_socket()."""
    plain = socket.create_connection(address, PATIENCE)
    sock = plain
    try:
        plain.settimeout(mode.timeout)
        options = {"server_hostname": HOST, "do_handshake_on_connect": False, **options}
        sock = context.wrap_socket(plain, **options)
        driven(sock, sock.do_handshake)
    except BaseException:
        sock.close()
        raise
    return sock


def handshake(client: Any, server: Any) -> None:
    """Complete the handshake of two wrapped sockets in one thread, then restore their timeouts."""
    timeouts = [(sock, sock.gettimeout()) for sock in (client, server)]
    unfinished = [client, server]
    for sock in unfinished:
        sock.settimeout(0)
    while unfinished:
        reading, writing = [], []
        for sock in unfinished:
            try:
                sock.do_handshake()
            except standard.SSLWantReadError:
                reading.append(sock)
            except standard.SSLWantWriteError:
                writing.append(sock)
        unfinished = reading + writing
        if unfinished:
            ready = select.select(reading, writing, [], PATIENCE)
            assert any(ready), f"the handshake has been waiting for {PATIENCE:g} s"
    for sock, timeout in timeouts:
        sock.settimeout(timeout)


def tls_transport(
    client_context: Any,
    server_context: Any,
    transport: Callable[[], tuple[socket.socket, socket.socket]] = tcp_pair,
) -> Callable[[], tuple[Any, Any]]:
    """A transport for TLS in TLS: its two ends are SSLSockets after their handshake, and nothing is in flight."""

    def tls_pair() -> tuple[Any, Any]:
        plain_client, plain_server = transport()
        client = client_context.wrap_socket(plain_client, server_hostname=HOST, do_handshake_on_connect=False)
        server = server_context.wrap_socket(plain_server, server_side=True, do_handshake_on_connect=False)
        handshake(client, server)
        server.sendall(b"!")
        assert receive_exactly(client, 1) == b"!", "what came with it, session tickets, has been read as well"
        return client, server

    return tls_pair


@contextlib.contextmanager
def tls_sockets(
    client_context: Any,
    server_context: Any,
    *,
    mode: Mode = BLOCKING,
    transport: Callable[[], tuple[socket.socket, socket.socket]] = tcp_pair,
    server_hostname: str | None = HOST,
    session: Any = None,
    suppress_ragged_eofs: bool = True,
) -> Iterator[tuple[Any, Any]]:
    """Two SSLSockets, connected, wrapped and after their handshake, both in the same mode. Closed at the end.

    Over a tls_transport() they are TLS in TLS.
    """
    plain_client, plain_server = transport()
    options = {"do_handshake_on_connect": False, "suppress_ragged_eofs": suppress_ragged_eofs}
    with contextlib.ExitStack() as stack:
        stack.enter_context(plain_client)
        stack.enter_context(plain_server)
        client = stack.enter_context(
            client_context.wrap_socket(plain_client, server_hostname=server_hostname, session=session, **options)
        )
        server = stack.enter_context(server_context.wrap_socket(plain_server, server_side=True, **options))
        handshake(client, server)
        client.settimeout(mode.timeout)
        server.settimeout(mode.timeout)
        yield client, server
