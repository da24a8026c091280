"""A truncated stream is never mistaken for one that its sender ended."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.core.peer import Peer
from tests.incidents.references import reference
from tests.kit.pair import Pair
from tests.kit.sockets import driven, unix_pair
from tests.kit.subject import tls

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
        near = {end + by for end in ends for by in range(-2, 7)}
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
    """The data, and its end: b"" or the error."""
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


def test_an_object_reports_a_truncation_at_every_byte(
    client_context: Any, server_context: Any, rounds_of_cuts: Any
) -> None:
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
def test_a_socket_reports_a_truncation_at_every_byte(
    client_context: Any, server_context: Any, rounds_of_cuts: Any, suppress: bool
) -> None:
    """By SSLEOFError unless suppressed, and in any case by `truncated`."""
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
