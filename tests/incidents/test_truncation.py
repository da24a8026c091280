"""A stream that somebody cut is never taken for one that its sender ended."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import wiretight.asyncio
from tests.core.peer import Peer
from tests.incidents.references import reference
from tests.kit.certificates import HOST
from tests.kit.pair import Pair
from tests.kit.sockets import driven, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE

pytestmark = reference("RFC 8446, 6.1", "pyca/pyopenssl#229")

SIZE = 64 * 1024
RECORD = 16 * 1024
DATA = bytes(i % 251 for i in range(SIZE))


@pytest.fixture
def rounds_of_cuts(rounds: Callable[[int, int], int]) -> Callable[[bytes], Iterator[int]]:
    """Where a flight is cut: every byte in a full run, otherwise around the ends of records and here and there."""

    def cuts(flight: bytes) -> Iterator[int]:
        count = rounds(200, len(flight))
        if count == len(flight):
            yield from range(len(flight))
            return
        ends = [0]
        while ends[-1] < len(flight):
            ends.append(ends[-1] + 5 + int.from_bytes(flight[ends[-1] + 3 : ends[-1] + 5], "big"))
        near = {end + by for end in ends for by in (-2, -1, 0, 1, 4, 5, 6)}
        spread = range(0, len(flight), len(flight) // (count - len(near)))
        yield from sorted(cut for cut in near | {*spread} if 0 <= cut < len(flight))

    return cuts


def flight_of(side: Any, outgoing: Any) -> bytes:
    """The records of DATA and the close_notify after them."""
    assert side.write(DATA) == SIZE
    with pytest.raises(tls.SSLWantReadError):
        side.unwrap()
    return bytes(outgoing.read())


def read_to_the_end(read: Callable[[int], bytes]) -> tuple[bytes, Any]:
    """The data, and what came after it: b"" or the error."""
    parts: list[bytes] = []
    while True:
        try:
            part = read(SIZE)
        except tls.SSLError as error:
            return b"".join(parts), error
        if not part:
            return b"".join(parts), b""
        parts.append(part)


def assert_cut(data: bytes, end: Any, cut: int) -> None:
    assert isinstance(end, tls.SSLEOFError), f"cut at byte {cut}: {end!r}"
    assert DATA.startswith(data)
    assert len(data) % RECORD == 0 or len(data) == SIZE, "half a record cannot be authentic"


def test_an_uncut_stream_ends_cleanly(pair: Pair) -> None:
    pair.handshake()
    pair.to_client.incoming.write(flight_of(pair.server, pair.to_client.outgoing))
    pair.to_client.incoming.write_eof()
    assert read_to_the_end(pair.client.read) == (DATA, b"")


def test_an_object_says_so_at_every_byte(client_context: Any, server_context: Any, rounds_of_cuts: Any) -> None:
    pair = Pair(client_context, server_context)
    pair.handshake()
    size = flight_of(pair.server, pair.to_client.outgoing)
    for cut in rounds_of_cuts(size):
        pair = Pair(client_context, server_context)
        pair.handshake()
        pair.to_client.incoming.write(flight_of(pair.server, pair.to_client.outgoing)[:cut])
        pair.to_client.incoming.write_eof()
        assert_cut(*read_to_the_end(pair.client.read), cut)
        assert pair.client.truncated
        with pytest.raises(tls.SSLEOFError):
            pair.client.read()


@pytest.mark.parametrize("suppress", [False, True], ids=["strict", "suppress_ragged_eofs"])
@reference("python/cpython#72002", "ioflo/hio#173")
def test_a_socket_says_so_at_every_byte(
    client_context: Any, server_context: Any, rounds_of_cuts: Any, suppress: bool
) -> None:
    """By SSLEOFError where it was asked to, and in any case by `truncated`."""
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        size = flight_of(peer.tls, peer.outgoing)
    for cut in rounds_of_cuts(size):
        with Peer(client_context, server_context, transport=unix_pair, suppress_ragged_eofs=suppress) as peer:
            raw = flight_of(peer.tls, peer.outgoing)[:cut]
            sender = threading.Thread(target=send_and_end, args=(peer.plain, raw))
            sender.start()
            data, end = read_to_the_end(lambda size, sock=peer.sock: driven(sock, sock.recv, size))
            sender.join()
            if suppress:
                assert end == b""
                assert DATA.startswith(data)
            else:
                assert_cut(data, end, cut)
            assert peer.sock.truncated is True


def send_and_end(plain: socket.socket, raw: bytes) -> None:
    plain.setblocking(True)
    plain.sendall(raw)
    plain.shutdown(socket.SHUT_WR)


@reference("python/cpython#72002")
@pytest.mark.parametrize("suppress", [False, True], ids=["strict", "suppress_ragged_eofs"])
def test_a_proper_end_is_not_one_that_was_cut(client_context: Any, server_context: Any, suppress: bool) -> None:
    with Peer(client_context, server_context, transport=unix_pair, suppress_ragged_eofs=suppress) as peer:
        assert peer.sock.truncated is False
        peer.deliver(peer.encrypt(b"data") + peer.close_notify())
        assert driven(peer.sock, peer.sock.recv, 10) == b"data"
        assert driven(peer.sock, peer.sock.recv, 10) == b""
        peer.plain.close()
        assert peer.sock.recv(10) == b""
        assert peer.sock.truncated is False
    assert peer.sock.truncated is None


@reference("python/cpython#72002")
def test_the_strict_switch_works_on_a_socket_in_use(client_context: Any, server_context: Any) -> None:
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        peer.sock.suppress_ragged_eofs = False
        peer.plain.shutdown(socket.SHUT_WR)
        with pytest.raises(tls.SSLEOFError):
            driven(peer.sock, peer.sock.recv, 10)


@reference("python/cpython#148292")
def test_bytes_that_come_after_the_end_are_not_read(pair: Pair) -> None:
    pair.handshake()
    raw = flight_of(pair.server, pair.to_client.outgoing)
    pair.to_client.incoming.write(raw[:-1])
    incoming = pair.to_client.incoming
    incoming.write_eof()
    read_to_the_end(pair.client.read)
    for operation in (pair.client.read, lambda: pair.client.write(b"x"), pair.client.do_handshake):
        with pytest.raises(tls.SSLEOFError):
            operation()


def test_a_forged_end_in_plaintext_is_no_end(pair: Pair) -> None:
    """An alert that nobody authenticated, where close_notify should be."""
    pair.handshake()
    pair.to_client.incoming.write(bytes.fromhex("15030300020100"))
    with pytest.raises(tls.SSLError) as error:
        pair.client.read()
    assert not isinstance(error.value, tls.SSLWantReadError)
    with pytest.raises(tls.SSLError):
        pair.client.read()


# --- asyncio ----------------------------------------------------------------------------------------------------------


class Recorder(asyncio.Protocol):
    """What a connection got, and how it ended."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.at_eof = False
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.at_eof = True

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set_result(error)


@pytest.mark.parametrize("cut", [0, 1, 5, RECORD // 2, RECORD + 22, 2 * RECORD, SIZE, -1])
@reference("MagicStack/uvloop#471")
def test_asyncio_hears_of_an_end_only_by_close_notify(client_context: Any, server_context: Any, cut: int) -> None:
    async def run() -> None:
        near, far = socket.socketpair()
        far.setblocking(False)
        incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        server = server_context.wrap_bio(incoming, outgoing, server_side=True)
        loop = asyncio.get_running_loop()

        async def shake_hands() -> None:
            done = False
            while not done:
                try:
                    server.do_handshake()
                    done = True
                except tls.SSLWantReadError:
                    pass
                await loop.sock_sendall(far, outgoing.read())
                if not done:
                    incoming.write(await loop.sock_recv(far, SIZE))

        shaking = loop.create_task(shake_hands())
        _, recorder = await wiretight.asyncio.create_connection(
            Recorder, sock=near, ssl=client_context, server_hostname=HOST, ssl_handshake_timeout=PATIENCE
        )
        await shaking
        raw = flight_of(server, outgoing)
        with far:
            await loop.sock_sendall(far, raw[:cut])
        assert isinstance(await recorder.ended, tls.SSLEOFError)
        assert not recorder.at_eof
        assert DATA.startswith(bytes(recorder.data))

    asyncio.run(run())
