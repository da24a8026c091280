"""Under an event loop, a peer's flood neither delays other callbacks nor uses unbounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aio.protocols import Recorder
from tests.incidents.eventloops import UPGRADES, WAYS, Way
from tests.incidents.forger import Forger, forgeable_contexts
from tests.incidents.references import reference
from tests.incidents.sender import Sender
from tests.kit.pair import WANT, attempt
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE

pytestmark = [reference("RFC 8446, 4.6.1"), pytest.mark.timeout(7200)]

MOST_RECORDS = 12_000  # that one transport may take in one turn of the loop: of the smallest, twice 128 KiB
MOST_KEPT = 1 << 20  # bytes of answers that nobody reads
LONG = 3600.0  # seconds that a full count may need to be made


class Turns:
    """Runs in every turn of the loop, as any other callback: how many records come from one to the next."""

    def __init__(self, transport: Any) -> None:
        self.counters = transport.get_extra_info("ssl_object")._sslobj.counters
        self.transport = transport
        self.count = self.most_records = self.most_kept = 0
        self.last = self.records()
        self.handle = asyncio.get_running_loop().call_soon(self.turn)

    def records(self) -> int:
        return int(self.counters()["records_in"])

    def turn(self) -> None:
        self.count += 1
        records = self.records()
        self.most_records = max(self.most_records, records - self.last)
        self.most_kept = max(self.most_kept, self.transport.get_write_buffer_size())
        self.last = records
        self.handle = asyncio.get_running_loop().call_soon(self.turn)

    def end(self) -> None:
        self.handle.cancel()
        self.turn()
        self.handle.cancel()
        assert self.most_records <= MOST_RECORDS
        assert self.most_kept <= MOST_KEPT


class Server:
    """The far end: `tls`, an SSLObject after its handshake, and the socket that sends its records."""

    def __init__(self, far: socket.socket, context: Any) -> None:
        self.far = far
        self.incoming, self.outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    async def shake(self) -> None:
        """Leaves what follows the handshake, the tickets, in `outgoing`."""
        loop = asyncio.get_running_loop()
        while attempt(self.tls.do_handshake) is WANT:
            await loop.sock_sendall(self.far, self.outgoing.read())
            self.incoming.write(await loop.sock_recv(self.far, 65536))


@contextlib.asynccontextmanager
async def connected(
    way: Way, client_context: Any, server_context: Any, kernels: int = 1 << 20
) -> AsyncIterator[tuple[Recorder, Server]]:
    """Both, and about how many bytes the kernel buffers in each direction."""
    near, far = socket.socketpair()
    for sock in (near, far):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernels)
    with far:
        server = Server(far, server_context)
        client, _ = await asyncio.gather(way.connect(Recorder, near, client_context), server.shake())
        try:
            yield client, server
        finally:
            client.transport.abort()
            await client.lost()


# Not over uvloop's own transport, which hands over all that has come in one turn, and has no bound of ours.
@pytest.fixture(params=WAYS + [way for way in UPGRADES if way.loop == "asyncio"], ids=str)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with request.param.in_use() as way:
        yield way


@pytest.fixture
def contexts(certificates: Any, tmp_path: Path) -> tuple[Any, Any]:
    """A client's and a server's, whose records a Forger can make."""
    return forgeable_contexts(certificates, tmp_path / "keys")


def test_a_flood_of_session_tickets(certificates: Any, way: Way, rounds: Callable[[int, int], int]) -> None:
    async def main() -> None:
        async with connected(way, client_context, server_context) as (client, server):
            tickets = server.outgoing.read()
            assert len(tickets) > 100 * server_context.num_tickets
            server.tls.write(b"data")
            turns = Turns(client.transport)
            with Sender(server.far, iter([tickets, server.outgoing.read()])):
                assert await client.receive(4) == b"data"
            turns.end()
            assert turns.count > server_context.num_tickets / MOST_RECORDS

    client_context = certificates.client_context(tls.TLSVersion.TLSv1_3)
    server_context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    server_context.num_tickets = rounds(5_000, 100_000)
    way.run(main, LONG)


@reference("openssl/openssl#8068", "openssl/openssl#32501")
def test_a_flood_of_key_updates(
    contexts: tuple[Any, Any], way: Way, rounds: Callable[[int, int], int], tmp_path: Path
) -> None:
    async def main() -> None:
        async with connected(way, *contexts) as (client, server):
            forger = Forger(tmp_path / "keys")
            count = rounds(20_000, 500_000)
            updates = b"".join(forger.key_update(requested=False) for _ in range(count))
            turns = Turns(client.transport)
            with Sender(server.far, iter([updates, forger.data(b"data")])):
                assert await client.receive(4) == b"data"
            turns.end()
            assert turns.count > count / MOST_RECORDS

    way.run(main, LONG)


@reference("openssl/openssl#32501")
def test_a_flood_of_key_updates_that_request_responses(
    contexts: tuple[Any, Any], way: Way, rounds: Callable[[int, int], int], tmp_path: Path
) -> None:
    """Nobody reads the answers: the peer is not read any more either, until it does."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with connected(way, *contexts, 20_000) as (client, server):
            forger = Forger(tmp_path / "keys")
            updates = b"".join(forger.key_update(requested=True) for _ in range(rounds(30_000, 500_000)))
            turns = Turns(client.transport)
            with Sender(server.far, iter([updates, forger.data(b"data")])) as sender, server.far.dup() as answered:
                answered.setblocking(False)  # the loop would wait in a recv() of the Sender's, which has a timeout
                before = -1
                while turns.records() != before:  # until nothing moves any more
                    before = turns.records()
                    await asyncio.sleep(0.1)
                assert not sender.sent, "the flood is still on its way"
                assert not client.data
                receiving = asyncio.ensure_future(client.receive(4))
                while not receiving.done():
                    answers = asyncio.ensure_future(loop.sock_recv(answered, 1 << 20))
                    await asyncio.wait([receiving, answers], return_when=asyncio.FIRST_COMPLETED)
                    answers.cancel()
                    await asyncio.wait([answers])
                assert receiving.result() == b"data"
            turns.end()

    way.run(main, LONG)


@reference("RFC 8446, 5.1")
def test_a_flood_of_empty_records(contexts: tuple[Any, Any], way: Way, tmp_path: Path) -> None:
    """Nothing to read, and always something to decrypt: it is refused."""

    async def main() -> None:
        async with connected(way, *contexts) as (client, server):
            forger = Forger(tmp_path / "keys")
            turns = Turns(client.transport)
            flood = (b"".join(forger.data() for _ in range(100)) for _ in itertools.count())
            with Sender(server.far, flood):
                assert isinstance(await asyncio.wait_for(client.lost(), PATIENCE), tls.SSLError)
            turns.end()

    way.run(main, LONG)


@reference("RFC 8446, 5.1")
def test_a_flood_of_the_smallest_records(
    contexts: tuple[Any, Any], way: Way, rounds: Callable[[int, int], int], tmp_path: Path
) -> None:
    """A byte each: many are decrypted for every call of the protocol, and other callbacks run between them."""

    async def main() -> None:
        async with connected(way, *contexts) as (client, server):
            forger = Forger(tmp_path / "keys")
            count = rounds(50_000, 500_000)
            flood = b"".join(forger.data(b"x") for _ in range(count))
            turns = Turns(client.transport)
            with Sender(server.far, iter([flood])):
                assert await client.receive(count) == b"x" * count
            turns.end()

    way.run(main, LONG)
