"""A want implies EAGAIN from the kernel: edge-triggered polling (EPOLLET) reports the next byte.

A step of the core takes a bounded number of bytes without data, and each bound is a place where it might stop early.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl as standard
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.peer import Peer, readable
from tests.incidents.forger import Forger, Forger12, forgeable_contexts
from tests.kit.certificates import Certificates, Credentials
from tests.kit.pair import WANT, attempt
from tests.kit.sockets import tcp_pair, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no edge-triggered epoll")

STEP = 4 * (16384 + 64)  # WT_LENT_SIZE: a step without data ends here
LOOK = 4096  # the first look of a handshake, with what a record is longer than its plaintext
RECORD = 16384

# Bytes in the kernel, around each bound and its multiples.
AROUND = sorted({bound + near for bound in (LOOK - 512, LOOK, STEP, STEP + 512, 2 * STEP) for near in (-1, 0, 1)})


class Edge:
    """Says of a socket only that something new has come, and each time once."""

    def __init__(self, sock: Any, events: int = select.EPOLLIN) -> None:
        self.poll = select.epoll()
        self.poll.register(sock.fileno(), events | select.EPOLLET)

    def wait(self) -> None:
        assert self.poll.poll(PATIENCE), "something has come, and nobody says so"

    def settle(self) -> None:
        """Takes reports that have come."""
        self.poll.poll(0)

    def close(self) -> None:
        self.poll.close()


def driven(edge: Edge, operation: Callable[..., Any], *arguments: Any) -> Any:
    """The operation's result; between two calls the poll must report something."""
    while True:
        try:
            return operation(*arguments)
        except (standard.SSLWantReadError, standard.SSLWantWriteError):
            edge.wait()


@contextlib.contextmanager
def edge_on(sock: Any, events: int = select.EPOLLIN) -> Iterator[Edge]:
    edge = Edge(sock, events)
    try:
        yield edge
    finally:
        edge.close()


@pytest.fixture(params=[tcp_pair, unix_pair], ids=["tcp", "unix"])
def roomy(request: pytest.FixtureRequest) -> Callable[[], tuple[socket.socket, socket.socket]]:
    """A transport whose kernel buffers more than all limits together."""

    def made() -> tuple[socket.socket, socket.socket]:
        pair = request.param()
        for sock in pair:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        return pair

    return made


@pytest.fixture
def forged(certificates: Certificates, tmp_path: Path, roomy: Any) -> Iterator[tuple[Peer, Forger]]:
    """A client, and the records that its server might send."""
    client_context, server_context = forgeable_contexts(certificates, tmp_path / "keys")
    with Peer(client_context, server_context, transport=roomy) as peer:
        forger = Forger(tmp_path / "keys")
        forger.sequence = 1  # after the one with which the Peer ends its handshake
        yield peer, forger


@pytest.fixture
def forged_12(certificates: Certificates, tmp_path: Path, roomy: Any) -> Iterator[tuple[Peer, Forger12]]:
    """The same in TLS 1.2."""
    server_context = certificates.server_context(tls.TLSVersion.TLSv1_2)
    server_context.set_ciphers("ECDHE+AES128+AESGCM")
    server_context.keylog_filename = str(tmp_path / "keys")
    client_context = certificates.client_context(tls.TLSVersion.TLSv1_2)
    with Peer(client_context, server_context, transport=roomy, handshake=False) as peer:
        flights = []
        deliver = peer.deliver
        peer.deliver = lambda raw: flights.append(raw) or deliver(raw)  # type: ignore[method-assign, func-returns-value]
        peer.handshake()
        yield peer, Forger12(tmp_path / "keys", b"".join(flights))


def key_updates(forger: Forger, size: int, *, requested: bool = False) -> bytes:
    """KeyUpdates, and padding in the last (RFC 8446, 5.4), `size` bytes together."""
    one = 5 + 5 + 1 + 16
    flood = b""
    while size - len(flood) >= 2 * one:
        flood += forger.key_update(requested=requested)
    return flood + forger.key_update(requested=requested, padding=size - len(flood) - one)


def read_all_of(edge: Edge, peer: Peer, flood: bytes, data: bytes, operation: Callable[..., Any]) -> Any:
    """The flood is there; then, after a want, the data."""
    peer.deliver(flood)
    with pytest.raises(standard.SSLWantReadError):
        operation()
    edge.settle()  # what was reported before the call that heard EAGAIN
    peer.deliver(data)
    return driven(edge, operation)


# --- Reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", AROUND)
def test_key_updates_before_data(forged, size):
    peer, forger = forged
    with edge_on(peer.sock) as edge:
        flood = key_updates(forger, size)
        assert len(flood) == size
        assert read_all_of(edge, peer, flood, forger.data(b"data"), lambda: peer.sock.recv(100)) == b"data"


@pytest.mark.parametrize("room", [1, 100, LOOK, RECORD, STEP, 1 << 20])
def test_key_updates_before_data_with_every_buffer_size(forged, room):
    peer, forger = forged
    with edge_on(peer.sock) as edge:
        flood = key_updates(forger, STEP + 100)
        assert read_all_of(edge, peer, flood, forger.data(b"d"), lambda: peer.sock.recv(room)) == b"d"
        flood = key_updates(forger, STEP + 100)
        buffer = bytearray(room)
        assert read_all_of(edge, peer, flood, forger.data(b"d"), lambda: peer.sock.recv_into(buffer)) == 1


def test_empty_records_before_data(forged):
    """OpenSSL allows 32 in a row, each of up to 16 KiB of padding."""
    peer, forger = forged
    with edge_on(peer.sock) as edge:
        for _ in range(3):
            flood = b"".join(forger.record(23, b"", RECORD - 100) for _ in range(30))
            assert len(flood) > 7 * STEP
            assert read_all_of(edge, peer, flood, forger.data(b"data"), lambda: peer.sock.recv(100)) == b"data"


@pytest.mark.parametrize("count", [1, 30, 250, 251, 252, 253, 254, 255, 256, 257, 258, 259, 260, 261, 262, 700])
def test_session_tickets_before_data(certificates, roomy, count):
    client_context = certificates.client_context(tls.TLSVersion.TLSv1_3)
    server_context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    server_context.num_tickets = count
    with Peer(client_context, server_context, transport=roomy, handshake=False) as peer, edge_on(peer.sock) as edge:
        finish_handshake(peer)
        tickets = peer.outgoing.read()
        assert len(tickets) > 200 * count
        assert read_all_of(edge, peer, tickets, peer.encrypt(b"data"), lambda: peer.sock.recv(100)) == b"data"


@pytest.mark.parametrize("size", AROUND)
def test_a_flood_that_ends_within_a_record(forged, size):
    """The rest of a record arrives after the want."""
    peer, forger = forged
    with edge_on(peer.sock) as edge:
        stream = key_updates(forger, size - 10) + forger.data(b"data")
        assert read_all_of(edge, peer, stream[:size], stream[size:], lambda: peer.sock.recv(100)) == b"data"


@pytest.mark.parametrize("verb", ["read", "shutdown"])
def test_warning_alerts_and_empty_records(forged_12, verb):
    """TLS 1.2: OpenSSL allows four alerts in a row, and 32 empty records."""
    peer, forger = forged_12
    with edge_on(peer.sock) as edge:
        for kind, content, most in (21, b"\x01\x5a", 4), (23, b"", 30):
            flood = b"".join(forger.record(kind, content) for _ in range(most))
            data = forger.record(23, b"data")
            assert read_all_of(edge, peer, flood, data, lambda: peer.sock.recv(100)) == b"data"
        if verb == "shutdown":
            flood = b"".join(forger.record(21, b"\x01\x5a") for _ in range(3))
            end = forger.record(21, b"\x01\x00")
            assert isinstance(read_all_of(edge, peer, flood, end, peer.sock.unwrap), socket.socket)


# --- Shutdown, and writing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", AROUND)
def test_key_updates_before_a_close_notify(forged, size):
    peer, forger = forged
    with edge_on(peer.sock) as edge:
        flood = key_updates(forger, size)
        end = forger.record(21, b"\x01\x00")
        assert isinstance(read_all_of(edge, peer, flood, end, peer.sock.unwrap), socket.socket)


@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 2 * STEP])
def test_unread_data_before_a_close_notify(forged, size):
    """unwrap() rejects it, as `ssl` does, but raises a want only if the kernel is empty."""
    peer, forger = forged
    flood = b"".join(forger.data(bytes(RECORD)) for _ in range(size // RECORD + 1))
    peer.deliver(flood)
    try:
        peer.sock.unwrap()
    except standard.SSLWantReadError:
        assert not readable(peer.sock)
    except standard.SSLError:
        pass


@pytest.mark.parametrize("size", AROUND)
def test_a_write_during_a_flood(forged, size):
    """It reads nothing, and leaves everything to the next read."""
    peer, forger = forged
    with edge_on(peer.sock) as edge:
        peer.deliver(key_updates(forger, size))
        edge.wait()
        assert peer.sock.send(b"to") == 2
        with pytest.raises(standard.SSLWantReadError):
            peer.sock.recv(100)
        edge.settle()
        peer.deliver(forger.data(b"data"))
        assert driven(edge, peer.sock.recv, 100) == b"data"


@pytest.mark.parametrize("size", [RECORD, STEP, STEP + 1, 4 * STEP, 1 << 20])
def test_a_full_kernel(client_context, server_context, size):
    """A want to write has met a full kernel, after each of its sizes."""

    def small() -> tuple[socket.socket, socket.socket]:
        near, far = unix_pair()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
        return near, far

    with Peer(client_context, server_context, transport=small) as peer, edge_on(peer.sock, select.EPOLLOUT) as edge:
        unsent = memoryview(bytes(size) + b"!")
        received = 0
        while unsent:
            try:
                unsent = unsent[peer.sock.send(unsent) :]
            except standard.SSLWantWriteError:
                edge.settle()
                received += peer.drain() and len(peer.decrypted())
                edge.wait()
        while received < size + 1:
            received += peer.drain() and len(peer.decrypted())


# --- Handshake --------------------------------------------------------------------------------------------------------


def finish_handshake(peer: Peer) -> None:
    """As Peer.handshake(), but leaves the server's later messages in the kernel."""
    with pytest.raises(standard.SSLWantReadError):
        peer.sock.do_handshake()
    peer.drain()
    assert attempt(peer.tls.do_handshake) is WANT
    peer.deliver(peer.outgoing.read())
    peer.sock.do_handshake()
    peer.drain()
    peer.tls.do_handshake()


@pytest.fixture(scope="module")
def long_chain(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """A chain of more than a step's bytes: the leaf, and a certificate that belongs to nothing, again and again."""
    folder = tmp_path_factory.mktemp("chain")
    leaf = certificates.server.chain.read_bytes()
    other = certificates.elsewhere.chain.read_bytes()
    (folder / "chain.pem").write_bytes(leaf + other * 150)
    return Credentials(folder / "chain.pem", certificates.server.key)


@pytest.mark.parametrize("cut", [*AROUND[:-3], None])
def test_a_flight_larger_than_one_step(certificates, version, roomy, long_chain, cut):
    client_context = certificates.client_context(version)
    server_context = certificates.server_context(version, credentials=long_chain)
    with Peer(client_context, server_context, transport=roomy, handshake=False) as peer, edge_on(peer.sock) as edge:
        with pytest.raises(standard.SSLWantReadError):
            peer.sock.do_handshake()
        peer.drain()
        assert attempt(peer.tls.do_handshake) is WANT
        flight = peer.outgoing.read()
        assert len(flight) > STEP + 1024
        at = len(flight) - 1 if cut is None else cut
        edge.settle()
        peer.deliver(flight[:at])
        edge.wait()
        with pytest.raises(standard.SSLWantReadError):
            peer.sock.do_handshake()
        edge.settle()
        peer.deliver(flight[at:])
        edge.wait()
        with contextlib.suppress(standard.SSLWantReadError):  # TLS 1.2: for the server's Finished
            peer.sock.do_handshake()
        edge.settle()
        peer.drain()
        peer.tls.do_handshake()
        peer.deliver(peer.outgoing.read())
        driven(edge, peer.sock.do_handshake)
        peer.deliver(peer.encrypt(b"data"))
        assert driven(edge, peer.sock.recv, 100) == b"data"


def test_ignored_change_cipher_spec_records(certificates, roomy):
    """TLS 1.3 drops them in a handshake (RFC 8446, 5), a few in a row."""
    version = tls.TLSVersion.TLSv1_3
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    with Peer(client_context, server_context, transport=roomy, handshake=False) as peer, edge_on(peer.sock) as edge:
        with pytest.raises(standard.SSLWantReadError):
            peer.sock.do_handshake()
        peer.drain()
        assert attempt(peer.tls.do_handshake) is WANT
        flight = peer.outgoing.read()
        first = 5 + int.from_bytes(flight[3:5], "big")
        edge.settle()
        peer.deliver(flight[:first] + bytes([20, 3, 3, 0, 1, 1]) * 20)
        edge.wait()
        with pytest.raises(standard.SSLWantReadError):
            peer.sock.do_handshake()
        edge.settle()
        peer.deliver(flight[first:])
        driven(edge, peer.sock.do_handshake)
