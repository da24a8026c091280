"""A deadline holds, whatever the peer sends or does not."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import itertools
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.peer import Peer, until
from tests.incidents.conftest import FULL
from tests.incidents.forger import Forger
from tests.incidents.references import reference
from tests.incidents.sender import Sender
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.sockets import connect, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

pytestmark = reference("OpenKMIP/PyKMIP#430")

TIMEOUT = 0.3
SHORT = 0.02  # of a call that has more than this to do
OVERSHOOT = 0.2  # how late a deadline may be on a machine that has nothing else to do


@pytest.fixture
def deadline(record_property: Callable[[str, object], None]) -> Callable[..., Any]:
    """`with deadline():` around a call that ends by TimeoutError, and must end before its peer gives up.

    By how much it was late is recorded, and part of the result only in a full run, which has the machine for itself.
    """

    @contextlib.contextmanager
    def late(timeout: float = TIMEOUT) -> Iterator[None]:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            yield
        overshoot = time.monotonic() - begin - timeout
        record_property("overshoot", overshoot)
        assert overshoot < (OVERSHOOT if FULL else PATIENCE)

    return late


def one_by_one(raw: bytes) -> Iterator[bytes]:
    return (raw[at : at + 1] for at in range(len(raw)))


# --- A peer that sends too little -------------------------------------------------------------------------------------


def test_a_read_of_a_byte_a_second(client_context: Any, server_context: Any, deadline: Any) -> None:
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        peer.sock.settimeout(TIMEOUT)
        with Sender(peer.plain, one_by_one(peer.encrypt(bytes(1000))), 1) as sender, deadline():
            peer.sock.recv(1)
        assert sender.sent < 1000


def test_a_handshake_of_a_byte_a_second(client_context: Any, deadline: Any) -> None:
    near, far = unix_pair()
    with far, client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        client.settimeout(TIMEOUT)
        with Sender(far, one_by_one(bytes.fromhex("160303ffff") + bytes(1000)), 1), deadline():
            client.do_handshake()


@pytest.mark.parametrize("operation", ["recv", "do_handshake", "unwrap"])
def test_a_peer_that_says_nothing(client_context: Any, server_context: Any, deadline: Any, operation: str) -> None:
    with Peer(client_context, server_context, handshake=operation != "do_handshake") as peer:
        peer.sock.settimeout(TIMEOUT)
        with deadline():
            getattr(peer.sock, operation)()


@reference("RFC 8446, 6.1")
def test_a_peer_that_goes_on_after_our_close_notify(client_context: Any, server_context: Any, deadline: Any) -> None:
    """It sends data and never answers: what unwrap() waits for does not come."""
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        peer.sock.settimeout(TIMEOUT)
        with Sender(peer.plain, one_by_one(peer.encrypt(bytes(1000))), 1), deadline():
            peer.sock.unwrap()


@pytest.mark.parametrize("operation", ["send", "sendall"])
def test_a_peer_that_never_reads(client_context: Any, server_context: Any, deadline: Any, operation: str) -> None:
    with Peer(client_context, server_context) as peer:
        peer.sock.settimeout(TIMEOUT)
        while select.select([], [peer.sock], [], 0)[1]:
            peer.sock.setblocking(False)
            with contextlib.suppress(tls.SSLWantWriteError):
                while True:
                    peer.sock.send(bytes(65536))
        peer.sock.settimeout(TIMEOUT)
        with deadline():
            getattr(peer.sock, operation)(bytes(65536))


SENDING: dict[str, Callable[[Any, Path], object]] = {
    "sendall": lambda sock, path: sock.sendall(path.read_bytes()),
    "sendall of a program's send": lambda sock, path: passing_on(sock).sendall(path.read_bytes()),
    "sendfile": lambda sock, path: sock.sendfile(path.open("rb")),
}


def passing_on(sock: Any) -> Any:
    sock.send = lambda data: type(sock).send(sock, data)
    return sock


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", SENDING)
def test_a_peer_that_takes_a_little_now_and_then(
    client_context: Any, server_context: Any, deadline: Any, tmp_path: Path, name: str
) -> None:
    """One call has one deadline, however often a part of it goes out."""
    (tmp_path / "file").write_bytes(bytes(8 * 1024 * 1024))
    with Peer(client_context, server_context) as peer:
        peer.sock.settimeout(TIMEOUT)
        over = threading.Event()

        def take_a_little() -> None:
            while not over.wait(TIMEOUT / 4):
                peer.plain.recv(65536)

        taking = Task(take_a_little)
        try:
            with deadline():
                SENDING[name](peer.sock, tmp_path / "file")
        finally:
            over.set()
            taking.result()


# --- A peer that sends too much ---------------------------------------------------------------------------------------


@reference("RFC 8446, 4.6.1")
def test_a_flood_of_session_tickets(
    certificates: Certificates, deadline: Any, rounds: Callable[[int, int], int]
) -> None:
    server_context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    server_context.num_tickets = rounds(25_000, 100_000)
    with Peer(
        certificates.client_context(tls.TLSVersion.TLSv1_3), server_context, handshake=False, transport=unix_pair
    ) as peer:
        with contextlib.suppress(tls.SSLWantReadError):
            peer.sock.do_handshake()
        peer.drain()
        with contextlib.suppress(tls.SSLWantReadError):
            peer.tls.do_handshake()
        peer.deliver(peer.outgoing.read())
        peer.sock.do_handshake()
        peer.drain()
        peer.tls.do_handshake()
        tickets = bytes(peer.outgoing.read())
        assert len(tickets) > 100 * server_context.num_tickets
        data = peer.encrypt(b"data")
        peer.sock.settimeout(SHORT)
        with Sender(peer.plain, iter([tickets])) as sender:
            with deadline(SHORT):
                peer.sock.recv(1)
            assert not sender.sent, "the deadline came before the end of the flood"
            peer.sock.settimeout(PATIENCE)
            reading = Task(peer.sock.recv, 10)
            until(lambda: sender.sent, "all tickets have been sent")
            peer.plain.sendall(data)
            assert reading.result() == b"data"


@pytest.fixture
def forged(certificates: Certificates, tmp_path: Path) -> Iterator[tuple[Peer, Forger]]:
    """A client's socket, and its server's records made by hand."""
    server_context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    server_context.num_tickets = 0
    server_context.keylog_filename = str(tmp_path / "keys")
    client_context = certificates.client_context(tls.TLSVersion.TLSv1_3)
    client_context.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        forger = Forger(tmp_path / "keys")
        forger.data(b"!")  # what Peer has sent
        peer.deliver(forger.data(b"data"))
        assert peer.sock.recv(10) == b"data"
        yield peer, forger


def flood(make: Callable[[], bytes]) -> Iterator[bytes]:
    """For ever, a few at a time."""
    return (b"".join(make() for _ in range(100)) for _ in itertools.count())


@reference("RFC 8446, 4.6.3")
@pytest.mark.parametrize("requested", [False, True], ids=["unanswered", "answered"])
def test_a_flood_of_key_updates(
    forged: tuple[Peer, Forger], deadline: Any, rounds: Callable[[int, int], int], requested: bool
) -> None:
    """Nobody reads the answers to those that want one: neither time nor memory may run out."""
    peer, forger = forged
    updates = b"".join(forger.key_update(requested=requested) for _ in range(rounds(20_000, 500_000)))
    peer.sock.settimeout(SHORT)
    with Sender(peer.plain, iter([updates])) as sender:
        with deadline(SHORT):
            peer.sock.recv(1)
        assert not sender.sent, "the deadline came before the end of the flood"


@reference("RFC 8446, 5.1")
def test_a_flood_of_empty_records(forged: tuple[Peer, Forger]) -> None:
    """Nothing to read, and always something to decrypt: it is refused, or runs into the deadline."""
    peer, forger = forged
    peer.sock.settimeout(TIMEOUT)
    with Sender(peer.plain, flood(forger.data)), pytest.raises((tls.SSLError, TimeoutError)):
        peer.sock.recv(1)


@reference("RFC 8446, 5.1")
def test_a_few_empty_records_between_data_do_no_harm(forged: tuple[Peer, Forger]) -> None:
    peer, forger = forged
    peer.deliver(b"".join(forger.data(content) for content in [b"", b"a", b"", b"", b"b"]))
    peer.sock.settimeout(PATIENCE)
    received = b""
    while len(received) < 2:
        received += peer.sock.recv(10)
    assert received == b"ab"


# --- accept() ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def listener(server_context: Any) -> Iterator[Any]:
    with server_context.wrap_socket(socket.create_server((ADDRESS, 0)), server_side=True) as listener:
        listener.settimeout(PATIENCE)
        yield listener


ACCEPTING = reference("CVE-2023-38200", "web2py/web2py#2400", "OpenKMIP/PyKMIP#430", "brian7704/OpenTAKServer#305")


@ACCEPTING
def test_accept_gives_up_a_silent_client_and_serves_the_next(
    server_context: Any, client_context: Any, listener: Any, deadline: Any
) -> None:
    server_context.handshake_timeout = TIMEOUT
    with socket.create_connection(listener.getsockname()) as silent:
        with deadline():
            listener.accept()
        silent.settimeout(PATIENCE)
        assert silent.recv(1) == b"", "the silent client's connection is closed"
        server_context.handshake_timeout = PATIENCE
        connecting = Task(connect, client_context, listener.getsockname())
        accepted, address = listener.accept()
        with accepted, connecting.result() as client:
            assert address == client.getsockname()
            accepted.sendall(b"data")
            assert client.recv(10) == b"data"
            assert accepted.gettimeout() is None, "the deadline is the handshake's alone"


@ACCEPTING
def test_accept_gives_up_a_client_of_a_byte_now_and_then(server_context: Any, listener: Any, deadline: Any) -> None:
    server_context.handshake_timeout = TIMEOUT
    with socket.create_connection(listener.getsockname()) as slow:
        with Sender(slow, one_by_one(bytes.fromhex("1603010fff") + bytes(1000)), 0.05) as sender:
            with deadline():
                listener.accept()
        assert sender.sent < 1000


@ACCEPTING
def test_a_server_of_the_standard_library_goes_on_as_well(certificates: Certificates, version: Any) -> None:
    context = certificates.server_context(version)
    context.handshake_timeout = TIMEOUT

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer((ADDRESS, 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = Task(server.serve_forever, 0.01)
        silent = [socket.create_connection(server.server_address) for _ in range(3)]
        try:
            client = http.client.HTTPSConnection(
                HOST, server.server_port, context=certificates.client_context(version), timeout=PATIENCE
            )
            client.request("GET", "/")
            assert client.getresponse().status == 204
            client.close()
        finally:
            for sock in silent:
                sock.close()
            server.shutdown()
            serving.result()


@reference("Python, ssl.SSLSocket.accept")
def test_without_a_deadline_accept_waits_as_ever(server_context: Any, client_context: Any, listener: Any) -> None:
    assert server_context.handshake_timeout is None
    accepting = Task(listener.accept)
    with socket.create_connection(listener.getsockname(), PATIENCE) as plain:
        until(lambda: accepting.running, "it waits")
        with client_context.wrap_socket(plain, server_hostname=HOST):
            accepting.result()[0].close()


@ACCEPTING
def test_a_deadline_has_no_say_where_accept_shakes_no_hands(server_context: Any) -> None:
    server_context.handshake_timeout = TIMEOUT
    with server_context.wrap_socket(
        socket.create_server((ADDRESS, 0)), server_side=True, do_handshake_on_connect=False
    ) as listener:
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.gettimeout() is None


@ACCEPTING
@pytest.mark.parametrize("seconds", [0, -1, 0.0, float("nan"), float("inf"), "1", b"", []])
def test_what_is_no_deadline_is_refused(server_context: Any, seconds: Any) -> None:
    server_context.handshake_timeout = 5
    with pytest.raises((ValueError, TypeError)):
        server_context.handshake_timeout = seconds
    assert server_context.handshake_timeout == 5
    server_context.handshake_timeout = None
    assert server_context.handshake_timeout is None
