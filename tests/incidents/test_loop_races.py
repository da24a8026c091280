"""Descriptors under an event loop: however a transport ends, it never touches a reused descriptor."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import socket
import ssl as standard
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aio.loops import new_loop
from tests.core.foreigner import Foreigner
from tests.incidents.eventloops import Talker, Way, sockets
from tests.incidents.processes import Child, descriptors_before, forks, open_descriptors
from tests.incidents.references import reference
from tests.kit.threads import PATIENCE, Task

pytestmark = [reference("python/cpython#130141"), pytest.mark.timeout(7200)]


async def ended(*talkers: Any) -> None:
    """A connection that was cut may end in an error of the system or of TLS, and in no other."""
    for talker in talkers:
        error = await asyncio.wait_for(talker.over, PATIENCE)
        assert error is None or isinstance(error, OSError), error


def use(transport: Any) -> None:
    """Everything that a program may still call."""
    transport.write(b"TLS" * 5000)
    transport.writelines([b"TLS", b"TLS"])
    transport.pause_reading()
    transport.resume_reading()
    transport.set_write_buffer_limits(high=0)
    assert transport.is_closing()
    assert not transport.is_reading()
    assert transport.get_write_buffer_size() == 0
    transport.close()
    transport.abort()


async def some_turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# --- Closing ----------------------------------------------------------------------------------------------------------

# Where a program ends the transport: in a call of its protocol, in the loop's next turn, or from another thread.
PLACES = ("data_received", "pause_writing", "resume_writing", "turn", "thread")


def end_at(place: str, talker: Any, end: Callable[[], Any]) -> Task | None:
    """Has the talker end its transport at that place."""
    loop = asyncio.get_running_loop()
    if place == "turn":
        talker.doing["data_received"] = lambda: loop.call_soon(end)
    elif place == "thread":
        now = threading.Event()
        talker.doing["data_received"] = now.set

        def from_a_thread() -> None:
            assert now.wait(PATIENCE)
            loop.call_soon_threadsafe(end)

        return Task(from_a_thread)
    else:
        talker.doing[place] = end
    return None


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", ["close", "abort"])
def test_ending_a_transport_during_transfers_never_touches_a_reused_descriptor(
    client_context: Any, server_context: Any, way: Way, tmp_path: Path, rounds: Any, verb: str, place: str
) -> None:
    chance = random.Random(verb + place)

    async def once(number: int) -> None:
        client, server = await way.connected(client_context, server_context, number)
        client.enough = chance.choice([1, 1000, 30_000, 100_000])
        thread = end_at(place, client, getattr(client.transport, verb))
        client.talk()
        server.talk()
        await asyncio.wait_for(client.over, PATIENCE)
        foreigner = Foreigner(tmp_path, client.number)
        use(client.transport)
        heard = client.heard
        await ended(client, server)
        await some_turns()
        assert client.heard == heard
        assert foreigner.foreign_bytes() == b""
        foreigner.close()
        if thread is not None:
            thread.result()

    before = descriptors_before()
    for number in range(rounds(4, 1000)):
        way.run(lambda number=number: once(number))
    assert open_descriptors() == before


class Hoarder:
    """A thread that opens files on every free descriptor, and checks that nothing is written into them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stop = threading.Event()
        self.taken = 0

    def run(self) -> int:
        held: list[int] = []
        while not self.stop.is_set():
            self.taken += 1
            held.append(os.open(self.folder / str(self.taken % 16), os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            if len(held) == 8:
                self.let_go(held)
        self.let_go(held)
        return self.taken

    def let_go(self, held: list[int]) -> None:
        for number in held:
            assert os.fstat(number).st_size == 0, "somebody wrote into a file of ours"
            os.close(number)
        held.clear()


@reference("python/cpython#88968")
@pytest.mark.parametrize("verb", ["close", "abort"])
def test_descriptors_reused_by_other_threads_are_never_touched(
    client_context: Any, server_context: Any, way: Way, tmp_path: Path, rounds: Any, verb: str
) -> None:
    before = descriptors_before()
    count = rounds(4, 1000)
    hoarder = Hoarder(tmp_path)
    hoarding = Task(hoarder.run)

    async def main() -> None:
        for number in range(min(count, 20)):
            client, server = await way.connected(client_context, server_context, number)
            client.enough = 10_000
            client.doing["data_received"] = getattr(client.transport, verb)
            client.talk()
            server.talk()
            await ended(client, server)

    try:
        for _ in range(max(1, count // 20)):
            way.run(main)
    finally:
        hoarder.stop.set()
    assert hoarding.result() > 0
    assert open_descriptors() == before


@reference("MagicStack/uvloop#61")
@pytest.mark.parametrize("verb", ["close", "abort"])
def test_a_duplicate_of_the_descriptor_stays_open_and_is_not_watched(
    client_context: Any, server_context: Any, way: Way, tmp_path: Path, rounds: Any, verb: str
) -> None:
    """The open file outlasts the number, and so would a registration of it with the loop."""

    async def once(number: int) -> None:
        client, server = await way.connected(client_context, server_context, number)
        with socket.socket(fileno=os.dup(client.number)) as copy:
            copy.setblocking(False)
            client.enough = 10_000
            client.doing["data_received"] = getattr(client.transport, verb)
            client.talk()
            server.talk()
            await asyncio.wait_for(client.over, PATIENCE)
            foreigner = Foreigner(tmp_path, client.number)
            heard = client.heard
            if verb == "abort":
                # Nobody has told the peer, and nothing was shut down: these are no TLS records.
                while not server.over.done():
                    with contextlib.suppress(BlockingIOError):
                        copy.recv(1 << 20)
                    with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                        copy.send(bytes(100_000))
                    await asyncio.sleep(0)
                assert isinstance(server.over.result(), standard.SSLError)
        await ended(client, server)
        await some_turns()
        assert client.heard == heard
        assert foreigner.foreign_bytes() == b""
        foreigner.close()

    before = descriptors_before()
    for number in range(rounds(4, 1000)):
        way.run(lambda number=number: once(number))
    assert open_descriptors() == before


# --- Giving up --------------------------------------------------------------------------------------------------------


@reference("python/asyncio#218", "python/cpython#73929")
@pytest.mark.parametrize("side", ["client", "server", "both"])
def test_a_handshake_cancelled_at_any_step_closes_its_socket(
    client_context: Any, server_context: Any, way: Way, rounds: Any, side: str
) -> None:
    async def once(number: int) -> None:
        near, far = sockets(number)
        shaking = {
            "client": asyncio.ensure_future(way.connect(Talker, near, client_context)),
            "server": asyncio.ensure_future(way.accept(Talker, far, server_context)),
        }
        await some_turns(1 + number // 2 % 12)  # a task that has not begun owns nothing
        for task in shaking.values() if side == "both" else [shaking[side]]:
            task.cancel()
        await asyncio.wait(shaking.values(), timeout=PATIENCE)
        for task in shaking.values():
            assert task.done()
            if task.cancelled() or task.exception() is not None:
                assert task.cancelled() or isinstance(task.exception(), OSError), task.exception()
            else:
                task.result().transport.abort()
                await ended(task.result())
        await some_turns()
        assert near.fileno() == far.fileno() == -1

    before = descriptors_before()
    for number in range(rounds(48, 1000)):
        way.run(lambda number=number: once(number))
    assert open_descriptors() == before


@reference("python/cpython#73929")
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_start_tls_cancelled_at_any_step_closes_its_connection(
    client_context: Any, server_context: Any, way: Way, rounds: Any, side: str
) -> None:
    async def once(number: int) -> None:
        loop = asyncio.get_running_loop()
        near, far = sockets(number)
        client, plain_client = (await loop.create_connection(Talker, sock=near))[::-1]
        server, plain_server = (await loop.connect_accepted_socket(Talker, far))[::-1]
        starting = {
            "client": asyncio.ensure_future(
                way.start_tls(plain_client, client, client_context, server_hostname="localhost")
            ),
            "server": asyncio.ensure_future(way.start_tls(plain_server, server, server_context, server_side=True)),
        }
        await some_turns(1 + number // 2 % 12)  # a task that has not begun owns nothing
        starting[side].cancel()
        await asyncio.wait(starting.values(), timeout=PATIENCE)
        for task in starting.values():
            assert task.done()
            if not task.cancelled() and task.exception() is None:
                task.result().abort()
            else:
                assert task.cancelled() or isinstance(task.exception(), OSError), task.exception()
        for plain in (plain_client, plain_server):
            plain.abort()
        await some_turns(5)

    before = descriptors_before()
    for number in range(rounds(24, 1000)):
        way.run(lambda number=number: once(number))
    assert open_descriptors() == before


@reference("python/cpython#74925")
@pytest.mark.parametrize("at", ["read", "drain", "wait_closed"])
def test_cancelling_an_await_loses_no_byte_and_no_descriptor(
    client_context: Any, server_context: Any, way: Way, rounds: Any, at: str
) -> None:
    class Stream(asyncio.StreamReaderProtocol):
        def __init__(self) -> None:
            self.reader = asyncio.StreamReader(limit=4096)
            super().__init__(self.reader)

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.transport = transport
            self.writer = asyncio.StreamWriter(transport, self, self.reader, asyncio.get_running_loop())

    async def once(number: int) -> None:
        client, server = await way.connected(client_context, server_context, number, Stream)
        data = random.Random(number).randbytes(200_000)
        server.writer.write(data)
        if at == "drain":
            client.writer.write(data)
        if at == "wait_closed":
            client.writer.close()
        waiting = asyncio.ensure_future(
            {
                "read": lambda: client.reader.readexactly(len(data) + 1),
                "drain": client.writer.drain,
                "wait_closed": client.writer.wait_closed,
            }[at]()
        )
        await some_turns(1 + number % 5)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await waiting
        if at != "wait_closed":
            assert await client.reader.readexactly(len(data)) == data
        if at == "drain":
            assert await server.reader.readexactly(len(data)) == data
        for side in (client, server):
            side.transport.abort()
        await some_turns(5)

    before = descriptors_before()
    for number in range(rounds(10, 1000)):
        way.run(lambda number=number: once(number))
    assert open_descriptors() == before


# --- Forgetting -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def unclosed() -> Iterator[None]:
    """Around unclosed transports: expects one warning for each, and nothing else."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert {warning.category for warning in caught} == {ResourceWarning}


def is_open(number: int) -> bool:
    with contextlib.suppress(OSError):
        os.fstat(number)
        return True
    return False


@reference("python/cpython#80890")
def test_transports_of_a_closed_loop_are_closed_by_their_destructors(
    client_context: Any, server_context: Any, way: Way, tmp_path: Path, rounds: Any
) -> None:
    """Without a word to the peer, and once: nothing that a program calls afterwards means the number."""

    async def connected(number: int) -> tuple[Any, Any]:
        client, server = await way.connected(client_context, server_context, number)
        for side in (client, server):
            side.talk()
        await some_turns(number % 4)
        return client, server

    before = descriptors_before()
    for number in range(rounds(8, 1000)):
        loop = new_loop(way.loop)
        client, server = loop.run_until_complete(connected(number))
        loop.close()
        left = [client.number, server.number]
        transport = client.transport
        for verb in ("write", "close", "abort") if number % 2 else ():
            with contextlib.suppress(RuntimeError):  # the loop is closed
                getattr(transport, verb)(*[b"TLS"] * (verb == "write"))
        with unclosed():
            transport.__del__()
            foreigner = Foreigner(tmp_path, left[0])
            for verb in ("close", "abort"):
                with contextlib.suppress(RuntimeError):
                    getattr(transport, verb)()
            del transport, client, server, loop
            gc.collect()
        assert is_open(left[0])
        assert not is_open(left[1])
        assert foreigner.foreign_bytes() == b""
        foreigner.close()
    assert open_descriptors() == before


@reference("python/cpython#88968")
def test_a_finalized_transport_does_not_unregister_a_reused_descriptor(
    client_context: Any, server_context: Any, way: Way, rounds: Any
) -> None:
    """A garbage collection may finalize it before the protocol that then closes it."""

    async def once(number: int) -> None:
        loop = asyncio.get_running_loop()
        client, server = await way.connected(client_context, server_context, number)
        client.transport.pause_reading()  # as the loop has no reference to it any more
        with unclosed():
            client.transport.__del__()
        near, far = socket.socketpair()
        with near, far:
            if far.fileno() == client.number:
                near, far = far, near
            assert near.fileno() == client.number
            heard = loop.create_future()
            near.setblocking(False)
            loop.add_reader(near, lambda: heard.done() or heard.set_result(None))
            for call in (client.transport.resume_reading, client.transport.close, client.transport.abort):
                call()
            await some_turns()
            far.send(b"not TLS")
            await asyncio.wait_for(heard, PATIENCE)
            loop.remove_reader(near)
            assert near.recv(100) == b"not TLS"
        server.transport.abort()
        await ended(server)

    before = descriptors_before()
    for number in range(rounds(4, 1000)):
        way.run(lambda number=number: once(number))
    gc.collect()
    assert open_descriptors() == before


# --- Forking ----------------------------------------------------------------------------------------------------------


def forgets(way: Way, transport: Any, contexts: Any) -> None:
    with unclosed():
        transport.__del__()
        gc.collect(0)


def closes(way: Way, transport: Any, contexts: Any) -> None:
    """As a pool does for its connections when it is collected."""
    transport.close()


def aborts(way: Way, transport: Any, contexts: Any) -> None:
    transport.abort()


def writes_and_closes(way: Way, transport: Any, contexts: Any) -> None:
    transport.close()
    transport.write(b"from the child")
    transport.write_eof() if transport.can_write_eof() else None
    transport.abort()


def has_a_loop_of_its_own(way: Way, transport: Any, contexts: Any) -> None:
    async def main() -> None:
        client, server = await way.connected(*contexts)
        client.enough = 30_000
        client.doing["data_received"] = client.transport.close
        client.talk()
        server.talk()
        await ended(client, server)

    way.run(main)


CHILDREN = [os._exit, forgets, closes, aborts, writes_and_closes, has_a_loop_of_its_own]


@forks
@reference("gevent/gevent#2196", "brianmario/mysql2#1467", "redis/redis-py#2910")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
@pytest.mark.parametrize("child", CHILDREN, ids=lambda child: child.__name__.strip("_"))
def test_a_child_sends_nothing_on_its_parents_connections(
    client_context: Any, server_context: Any, way: Way, rounds: Any, child: Callable[..., Any]
) -> None:
    async def main() -> None:
        client, server = await way.connected(client_context, server_context, 1)
        server.talk()
        for _ in range(min(count, 50)):  # with no output of the client's left: what it sent would go out at once
            await some_turns()
            work = (lambda: None) if child is os._exit else lambda: child(way, client.transport, contexts)
            assert Child(work).succeeded()
            hearing = client.hears_more(), server.hears_more()
            client.say()
            await asyncio.gather(*hearing)
        client.enough = 0
        client.doing["data_received"] = client.transport.close
        await ended(client, server)

    contexts = (client_context, server_context)
    count = rounds(4, 1000)
    before = descriptors_before()
    for _ in range(max(1, count // 50)):
        way.run(main)
    assert open_descriptors() == before
