"""A deadline holds under a flood, however many records arrive before it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.peer import Peer, until
from tests.incidents.forger import Forger, forgeable_contexts
from tests.incidents.references import reference
from tests.incidents.sender import Sender
from tests.kit.certificates import Certificates
from tests.kit.deadlines import TIMEOUT
from tests.kit.sockets import unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

pytestmark = reference("OpenKMIP/PyKMIP#430")

SHORT = 0.02  # of a call that has more than this to do


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
    """A client's socket, and forged records of its server."""
    client_context, server_context = forgeable_contexts(certificates, tmp_path / "keys")
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        forger = Forger(tmp_path / "keys")
        forger.data(b"!")  # what Peer has sent
        peer.deliver(forger.data(b"data"))
        assert peer.sock.recv(10) == b"data"
        yield peer, forger


def flood(make: Callable[[], bytes]) -> Iterator[bytes]:
    """Forever, a few at a time."""
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
def test_a_few_empty_records_between_data_are_harmless(forged: tuple[Peer, Forger]) -> None:
    peer, forger = forged
    peer.deliver(b"".join(forger.data(content) for content in [b"", b"a", b"", b"", b"b"]))
    peer.sock.settimeout(PATIENCE)
    received = b""
    while len(received) < 2:
        received += peer.sock.recv(10)
    assert received == b"ab"
