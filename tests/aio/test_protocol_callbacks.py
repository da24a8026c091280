"""Whatever a protocol does in a callback, the connection ends or goes on, and the loop learns what it raised.

The same under AddressSanitizer: scripts/check --asan tests/aio/test_protocol_callbacks.py
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.aio.loops import Loops
from tests.incidents.eventloops import Way, sockets
from tests.incidents.processes import descriptors_before, open_descriptors
from tests.incidents.references import reference
from tests.kit.threads import PATIENCE

pytestmark = reference("python/cpython#130141")

DATA = os.urandom(300_000)

METHODS = [
    "connection_made", "data_received", "get_buffer", "buffer_updated", "pause_writing", "resume_writing",
    "eof_received", "connection_lost",
]  # fmt: skip


class Bang(Exception):
    """What a callback raises."""


class BigBang(BaseException):
    """What a callback raises that is not even an Exception."""


class Acting(asyncio.Protocol):
    """Writes DATA and keeps what it receives; it acts in its first call of `method`."""

    def __init__(self, method: str, action: Callable[[Any], Any]) -> None:
        self.method = method
        self.action: Callable[[Any], Any] | None = action
        self.transport: Any = None
        self.data = bytearray()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.acted = False

    def act(self, method: str) -> Any:
        if method != self.method or self.action is None:
            return None
        action, self.action = self.action, None
        self.acted = True
        self.had = len(self.data)
        return action(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=20_000)
        transport.write(DATA)
        self.act("connection_made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.act("data_received")

    def pause_writing(self) -> None:
        self.act("pause_writing")

    def resume_writing(self) -> None:
        self.act("resume_writing")

    def eof_received(self) -> Any:
        return self.act("eof_received")

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self.over.done():
            self.over.set_result(None)
        self.act("connection_lost")


class ActingBuffered(Acting, asyncio.BufferedProtocol):
    """As Acting, with buffers of its own."""

    def get_buffer(self, sizehint: int) -> Any:
        self.memory = bytearray(5000)
        other = self.act("get_buffer")
        return self.memory if other is None else other

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.memory[:nbytes]
        self.act("buffer_updated")


class Echo(asyncio.Protocol):
    """Sends DATA back once it has arrived, and ends the connection."""

    def __init__(self) -> None:
        self.data = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.over.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.data) == len(DATA):
            self.transport.write(self.data)
            self.transport.close()


# --- What a protocol does ---------------------------------------------------------------------------------------------


def raises(protocol: Any) -> None:
    raise Bang


def raises_base(protocol: Any) -> None:
    raise BigBang


def answers_wrongly(protocol: Any) -> Any:
    return object()


def collects(protocol: Any) -> None:
    gc.collect()


def drops(protocol: Any) -> None:
    """The protocol's own reference; the loop has others while the connection is open."""
    protocol.transport = None
    gc.collect()


def switches(protocol: Any) -> None:
    """Another protocol receives everything from now on."""
    other = (ActingBuffered if isinstance(protocol, ActingBuffered) else Acting)("none", collects)
    other.transport, other.data, other.over = protocol.transport, protocol.data, protocol.over
    protocol.transport.set_protocol(other)


def re_enters(protocol: Any) -> None:
    """Every method of the transport that changes nothing in the end."""
    transport = protocol.transport
    transport.pause_reading()
    transport.resume_reading()
    transport.set_write_buffer_limits(high=0)
    transport.set_write_buffer_limits(high=20_000)
    transport.write(b"")
    transport.set_protocol(protocol)
    side = transport.get_extra_info("ssl_object")
    assert side.pending() >= 0
    assert side.version() in {"TLSv1.2", "TLSv1.3"}


def closes(protocol: Any) -> None:
    protocol.transport.close()
    protocol.transport.write(b"too late")


def aborts(protocol: Any) -> None:
    protocol.transport.abort()
    protocol.transport.write(b"too late")


def shuts(protocol: Any) -> None:
    """The socket, under the transport."""
    number = protocol.transport.get_extra_info("socket").fileno()
    if number >= 0:
        with socket.socket(fileno=os.dup(number)) as copy, contextlib.suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)


ENDING = [closes, aborts, shuts]
HARMLESS = [collects, drops, switches, re_enters]


async def exchange(way: Way, contexts: tuple[Any, Any], method: str, action: Callable[[Any], Any]) -> Acting:
    """Runs a connection on which every callback comes, unless something ends it before; returns its client."""
    made: list[Any] = []

    def factory() -> Acting:
        kind = ActingBuffered if method in {"get_buffer", "buffer_updated"} else Acting
        made.append(kind(method, action))
        return made[0]

    near, far = sockets(1)
    serving = asyncio.ensure_future(way.accept(Echo, far, contexts[1]))
    connecting = asyncio.ensure_future(way.connect(factory, near, contexts[0]))
    await asyncio.wait([serving, connecting], timeout=PATIENCE)
    if connecting.exception() is not None:
        assert method == "connection_made"
        made[0].error = connecting.exception()
    else:
        await asyncio.wait_for(made[0].over, PATIENCE)
    server = serving.result()
    server.transport.abort()
    await asyncio.wait_for(server.over, PATIENCE)
    for _ in range(3):
        await asyncio.sleep(0)
    return made[0]


@pytest.fixture
def contexts(client_context: Any, server_context: Any) -> tuple[Any, Any]:
    return client_context, server_context


@pytest.fixture
def run(way: Way, contexts: tuple[Any, Any]) -> Any:
    """Lets a client act once. Returns the client, and the exceptions that its loop reported."""

    def run(method: str, action: Callable[[Any], Any]) -> tuple[Any, list[Any]]:
        before = descriptors_before()
        loops = Loops(way.loop)
        client = loops.run_reporting(lambda: exchange(way, contexts, method, action))
        assert client.acted
        assert open_descriptors() == before
        return client, [report["exception"] for report in loops.reports]

    return run


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("action", [raises, raises_base])
def test_what_a_protocol_raises_is_reported_to_the_loop(run: Any, method: str, action: Any) -> None:
    client, reports = run(method, action)
    assert [type(report) for report in reports] == [Bang if action is raises else BigBang]
    if method == "connection_made":
        assert client.error is reports[0]
    if method in {"pause_writing", "resume_writing", "connection_lost"}:
        assert client.data == DATA


@pytest.mark.parametrize("method", METHODS)
def test_an_unexpected_return_value_is_ignored_unless_it_is_a_buffer(run: Any, way: Way, method: str) -> None:
    client, reports = run(method, answers_wrongly if method != "eof_received" else lambda _: 0)
    if method == "get_buffer":
        assert [type(report) for report in reports] == [TypeError]
    else:
        assert not reports
        assert client.data == DATA


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("action", HARMLESS)
def test_a_protocol_may_call_its_transport_in_any_callback(run: Any, method: str, action: Any) -> None:
    if method == "connection_lost":
        action = collects if action in {re_enters, switches} else action  # nothing is left that they could use
    client, reports = run(method, action)
    assert not reports
    assert client.data == DATA


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("action", ENDING)
def test_a_protocol_may_end_its_connection_in_any_callback(run: Any, method: str, action: Any) -> None:
    client, reports = run(method, action)
    assert not reports
    assert DATA.startswith(client.data)
    assert action is shuts or len(client.data) == client.had, "it got data after the end"
