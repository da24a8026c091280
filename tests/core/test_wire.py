"""What the wire transfers, in how few system calls, and what it requests of a BIO."""

from __future__ import annotations

import os
import socket
import ssl as standard
from typing import Any

import pytest

from tests.core.peer import Peer, in_kernel
from tests.kit.certificates import HOST
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.records import HEADER, records
from tests.kit.sockets import receive_exactly, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import Task

RECORD = 16384


@pytest.fixture
def transport(plain_transport: Any) -> Any:
    """What this page counts is different inside another connection: tests/core/test_tunnel.py."""
    return plain_transport


def counters(side: Any) -> dict[str, int]:
    return side._sslobj.counters()


def growth(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in after}


# --- Counters ---------------------------------------------------------------------------------------------------------


def test_incoming_bytes_are_counted(peer):
    before = counters(peer.sock)
    raw = b"".join(peer.encrypt(bytes(size)) for size in (1, 100, RECORD))
    peer.deliver(raw)
    assert len(receive_exactly_now(peer.sock, 101 + RECORD)) == 101 + RECORD
    grown = growth(before, counters(peer.sock))
    assert grown["bytes_in"] == len(raw)
    assert grown["records_in"] == 3
    assert grown["bytes_out"] == grown["records_out"] == 0


def test_outgoing_bytes_are_counted(peer):
    before = counters(peer.sock)
    assert peer.sock.send(bytes(RECORD + 1)) == RECORD + 1
    grown = growth(before, counters(peer.sock))
    arrived = receive_raw(peer.plain, grown["bytes_out"])
    assert [record.complete for record in records(arrived)] == [True, True]
    assert grown["records_out"] == 2
    assert grown["bytes_in"] == grown["records_in"] == 0


def test_an_sslobject_counts_bytes_too(pair):
    pair.handshake()
    before = counters(pair.client), counters(pair.server)
    pair.transfer(b"hello", pair.server)
    client, server = growth(before[0], counters(pair.client)), growth(before[1], counters(pair.server))
    assert client["bytes_in"] >= server["bytes_out"] > 5
    assert server["records_out"] == 1
    assert client["syscalls"] == server["syscalls"] == 0


def test_the_handshake_is_counted(client_context, server_context):
    with tls_sockets(client_context, server_context) as (client, server):
        # TLS 1.3: the server's session tickets have not been read.
        assert counters(client)["bytes_out"] == counters(server)["bytes_in"]
        assert counters(client)["records_out"] == counters(server)["records_in"]
        assert 0 < counters(client)["bytes_in"] <= counters(server)["bytes_out"]


def receive_exactly_now(sock: Any, size: int) -> bytes:
    """By recv() calls that may not have to wait."""
    received = b""
    while len(received) < size:
        received += sock.recv(size - len(received))
    return received


def receive_raw(plain: socket.socket, size: int) -> bytes:
    plain.setblocking(True)
    return receive_exactly(plain, size)


# --- Few system calls -------------------------------------------------------------------------------------------------


def test_many_small_records_are_read_with_one_peek(peer):
    data = [os.urandom(100) for _ in range(8)]
    peer.deliver(b"".join(map(peer.encrypt, data)))
    before = counters(peer.sock)
    assert peer.sock.recv(65536) == b"".join(data)
    assert growth(before, counters(peer.sock))["records_in"] == 8
    # One looks, one takes away what was used.
    assert growth(before, counters(peer.sock))["syscalls"] <= 3


def test_one_recv_fills_its_buffer_from_several_records(peer):
    data = os.urandom(3000)
    peer.deliver(b"".join(peer.encrypt(data[at : at + 300]) for at in range(0, 3000, 300)))
    assert peer.sock.recv(1000) == data[:900]  # a fourth one would be cut
    assert peer.sock.recv(1300) == data[900:2100]
    assert peer.sock.recv(5000) == data[2100:]


def test_recv_into_fills_its_buffer_from_several_records(peer):
    data = os.urandom(900)
    peer.deliver(b"".join(peer.encrypt(data[at : at + 300]) for at in range(0, 900, 300)))
    buffer = bytearray(b"\xff" * 800)
    assert peer.sock.recv_into(memoryview(buffer)[:700]) == 600
    assert bytes(buffer) == data[:600] + b"\xff" * 200
    assert peer.sock.recv_into(buffer, 200) == 200
    assert buffer[:200] == data[600:800]
    assert peer.sock.recv_into(buffer, 200) == 100


def test_a_recv_does_not_wait_to_fill_its_buffer(peer):
    peer.sock.settimeout(30)
    peer.deliver(peer.encrypt(b"some") + peer.encrypt(b"thing") + peer.encrypt(b"incomplete")[:-1])
    assert peer.sock.recv(65536) == b"something"


def test_a_recv_leaves_the_rest_to_the_kernel(peer):
    first, second = peer.encrypt(bytes(1000)), peer.encrypt(bytes(1000))
    peer.deliver(first + second)
    assert len(peer.sock.recv(1000)) == 1000
    assert in_kernel(peer.sock) == len(second)


def test_a_send_gathers_its_records(client_context, server_context):
    with tls_sockets(client_context, server_context) as (client, server):
        size = 1 << 20
        before = counters(client)
        receiving = Task(receive_exactly, server, size)
        client.sendall(bytes(size))
        receiving.result()
        grown = growth(before, counters(client))
        assert grown["records_out"] == size // RECORD
        # Eight records at a time, and as many calls again for the kernel to find it is full and for the waiting.
        assert grown["syscalls"] < grown["records_out"]


def test_a_send_that_fits_is_one_system_call(peer):
    before = counters(peer.sock)
    assert peer.sock.send(bytes(3 * RECORD)) == 3 * RECORD
    assert growth(before, counters(peer.sock))["syscalls"] == 1


def test_the_handshake_sends_each_flight_in_one_call(client_context, server_context, transport):
    with Peer(client_context, server_context, transport=transport, handshake=False) as peer:
        before = counters(peer.sock)
        assert attempt(peer.sock.do_handshake) is WANT
        # One sends, one finds no answer.
        assert growth(before, counters(peer.sock))["syscalls"] <= 2


# --- BIOs -------------------------------------------------------------------------------------------------------------


class DuckBIO:
    """A program's own BIO, which records the requests."""

    def __init__(self) -> None:
        self.data = b""
        self.asked: list[int] = []
        self.eof = False
        self.refusal: BaseException | None = None

    @property
    def pending(self) -> int:
        return len(self.data)

    def read(self, size: int = -1) -> bytes:
        self.asked.append(size)
        if self.refusal is not None:
            raise self.refusal
        size = len(self.data) if size < 0 else size
        part, self.data = self.data[:size], self.data[size:]
        return part

    def write(self, data: bytes) -> int:
        if self.refusal is not None:
            raise self.refusal
        self.data += bytes(data)
        return len(data)


KINDS = pytest.mark.parametrize(
    "kind", [tls.MemoryBIO, standard.MemoryBIO, DuckBIO], ids=["own", "standard-library", "duck"]
)


def over(kind: Any, client_context: Any, server_context: Any) -> Pair:
    """A pair whose client has BIOs of this kind, after the handshake and the session tickets."""
    pair = Pair(client_context, server_context)
    incoming, outgoing = kind(), kind()
    pair.client = client_context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    pair.to_server.outgoing = outgoing
    pair.to_client.incoming, pair.to_client.receiver = incoming, pair.client
    pair.handshake()
    assert pair.transfer(b"!", pair.server) == b"!"
    return pair


@KINDS
def test_any_object_with_read_and_write_is_a_bio(client_context, server_context, kind, delivery):
    pair = over(kind, client_context, server_context)
    data = os.urandom(50_000)
    assert pair.transfer(data, pair.client, delivery) == data
    assert pair.transfer(data, pair.server, delivery) == data
    pair.close()


@KINDS
def test_a_bio_is_asked_for_one_record_at_a_time(client_context, server_context, kind):
    """asyncio and others check what is left in it."""
    pair = over(kind, client_context, server_context)
    pair.server.write(b"one")
    pair.server.write(b"two")
    pair.pump()
    left = pair.to_client.incoming.pending // 2
    assert pair.client.read(100) == b"one"
    assert pair.to_client.incoming.pending == left
    assert pair.client.read(100) == b"two"
    assert pair.to_client.incoming.pending == 0


def test_a_bio_is_asked_only_for_what_openssl_needs(client_context, server_context):
    pair = over(DuckBIO, client_context, server_context)
    pair.server.write(b"hello")
    (record,) = records(pair.to_client.outgoing.read())
    incoming = pair.to_client.incoming
    incoming.asked.clear()
    assert attempt(pair.client.read) is WANT
    assert incoming.asked == [HEADER]
    incoming.write(record.raw)
    assert pair.client.read() == b"hello"
    assert incoming.asked == [HEADER, HEADER, len(record.body)]


@KINDS
def test_data_after_close_notify_stays_in_the_bio(client_context, server_context, kind):
    pair = over(kind, client_context, server_context)
    pair.server.write(b"hello")
    assert attempt(pair.server.unwrap) is WANT
    pair.pump()
    pair.to_client.incoming.write(b"plain")
    assert pair.client.read(100) == b"hello"
    assert pair.client.read(100) == b""
    pair.client.unwrap()
    assert pair.to_client.incoming.read() == b"plain"


class OutOfOrderError(Exception):
    pass


@pytest.mark.parametrize(
    "refusal", [OutOfOrderError("the tape is torn"), KeyboardInterrupt()], ids=["error", "interrupt"]
)
def test_an_exception_of_a_bios_read_propagates(client_context, server_context, refusal):
    pair = over(DuckBIO, client_context, server_context)
    pair.server.write(b"hello")
    pair.pump()
    pair.to_client.incoming.refusal = refusal
    with pytest.raises(type(refusal)) as raised:
        pair.client.read()
    assert raised.value is refusal
    pair.to_client.incoming.refusal = None
    assert pair.client.read() == b"hello"


def test_an_exception_of_a_bios_write_propagates(client_context, server_context):
    pair = over(DuckBIO, client_context, server_context)
    pair.to_server.outgoing.refusal = OutOfOrderError("the tape is full")
    with pytest.raises(OutOfOrderError, match="full"):
        pair.client.write(b"hello")
    pair.to_server.outgoing.refusal = None
    assert pair.transfer(b"hello", pair.client) == b"hello"


def test_different_bytes_after_a_failed_bio_write_are_not_mixed_up(client_context, server_context):
    """Whatever write() returns for the second, its bytes are not acknowledged while the first's are sent."""
    pair = over(DuckBIO, client_context, server_context)
    pair.to_server.outgoing.refusal = OutOfOrderError("the tape is full")
    with pytest.raises(OutOfOrderError):
        pair.client.write(b"first")
    pair.to_server.outgoing.refusal = None
    try:
        sent = pair.client.write(b"other")
    except standard.SSLError:
        sent = 0
    pair.pump()
    assert pair.read_all(pair.server) == b"other"[:sent]


def test_an_exception_of_a_bio_in_a_handshake_propagates(client_context):
    incoming, outgoing = DuckBIO(), DuckBIO()
    client = client_context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    incoming.refusal = OutOfOrderError("the tape is torn")
    with pytest.raises(OutOfOrderError):
        client.do_handshake()


class Generous(DuckBIO):
    def read(self, size: int = -1) -> bytes:
        return super().read(size) + b"one more"


class Lazy(DuckBIO):
    def write(self, data: bytes) -> int:
        return super().write(data[:-1])


class Wordy(DuckBIO):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def read(self, size: int = -1) -> Any:
        return self.answer


def test_a_bio_that_returns_more_than_requested_is_rejected(client_context):
    client = client_context.wrap_bio(Generous(), DuckBIO(), server_hostname=HOST)
    with pytest.raises(ValueError, match=r"read\(5\).* returned"):
        client.do_handshake()


def test_a_bio_with_a_partial_write_is_rejected(client_context):
    client = client_context.wrap_bio(DuckBIO(), Lazy(), server_hostname=HOST)
    with pytest.raises(ValueError, match="must take all"):
        client.do_handshake()


@pytest.mark.parametrize("answer", ["text", 5, 0, True, [1, 2], None], ids=repr)
def test_a_bio_that_does_not_return_bytes_is_rejected(client_context, answer):
    client = client_context.wrap_bio(Wordy(answer), DuckBIO(), server_hostname=HOST)
    with pytest.raises(TypeError):
        client.do_handshake()


def test_a_bio_at_its_end_ends_the_stream(client_context, server_context):
    pair = over(DuckBIO, client_context, server_context)
    pair.to_client.incoming.eof = True
    with pytest.raises(standard.SSLEOFError):
        pair.client.read()
