"""The ways in which a program gets one of our transports, and a protocol that sends continuously."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.aio.loops import Loops, uvloop
from tests.kit.certificates import HOST
from tests.kit.sockets import tcp_pair, unix_pair
from tests.kit.threads import PATIENCE
from wiretight import asyncio as native
from wiretight._install import event_loops

STREAM = os.urandom(65_521)  # what a Talker says, again and again: a prime, so that no piece falls on a record's end
PIECE = 5000


class Way(NamedTuple):
    """An event loop, and whose functions make the transports: those of wiretight.asyncio, or the loop's own; over a
    socket, or for a client by start_tls().
    """

    loop: str
    installed: bool
    upgrades: bool = False

    def __str__(self) -> str:
        return f"{self.loop}-{'installed' if self.installed else 'native'}{'-upgraded' if self.upgrades else ''}"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[Way]:
        """Skips the test where the loop is not there."""
        if self.loop == "uvloop" and uvloop is None:
            pytest.skip("uvloop is not installed: it has no release for this Python")
        self.run(lambda: asyncio.sleep(0))  # a first loop opens descriptors that stay, as libuv's for signals
        if self.installed:
            event_loops.install()
        yield self
        if self.installed:
            event_loops.uninstall()

    def run(self, main: Callable[[], Any], patience: float = PATIENCE) -> Any:
        return Loops(self.loop, patience).run(main)

    def run_reporting(self, main: Callable[[], Any]) -> list[dict[str, Any]]:
        """The same, for a test that looks at what the loop reported."""
        loops = Loops(self.loop)
        loops.run_reporting(main)
        return loops.reports

    def run_whatever_is_reported(self, main: Callable[[], Any]) -> Any:
        return Loops(self.loop).run_reporting(main)

    async def connect(self, factory: Callable[[], Any], sock: socket.socket, context: Any) -> Any:
        """A client's protocol over a connected socket."""
        if self.upgrades:
            plain, protocol = await asyncio.get_running_loop().create_connection(factory, sock=sock)
            try:
                protocol.transport = await self.start_tls(plain, protocol, context, server_hostname=HOST)
            except BaseException:
                plain.abort()
                raise
            return protocol
        make = asyncio.get_running_loop().create_connection if self.installed else native.create_connection
        return (await make(factory, sock=sock, ssl=context, server_hostname=HOST))[1]

    async def accept(self, factory: Callable[[], Any], sock: socket.socket, context: Any) -> Any:
        """A server's."""
        loop = asyncio.get_running_loop()
        make = loop.connect_accepted_socket if self.installed else native.connect_accepted_socket
        return (await make(factory, sock, ssl=context))[1]

    async def start_tls(self, transport: Any, protocol: Any, context: Any, **options: Any) -> Any:
        make = asyncio.get_running_loop().start_tls if self.installed else native.start_tls
        return await make(transport, protocol, context, **options)

    async def connected(
        self, client_context: Any, server_context: Any, number: int = 0, factory: Callable[[], Any] | None = None
    ) -> tuple[Any, Any]:
        """Two protocols, client and server; over TCP or a Unix socket, by `number` in turn."""
        client, server = await asyncio.gather(*self.attempted(client_context, server_context, number, factory))
        return client, server

    def attempted(
        self, client_context: Any, server_context: Any, number: int = 0, factory: Callable[[], Any] | None = None
    ) -> list[asyncio.Task[Any]]:
        """The same as two tasks, for a test in which one of them may fail."""

        async def closed_on_failure(make: Callable[..., Any], sock: socket.socket, context: Any) -> Any:
            try:
                return await make(factory or Talker, sock, context)
            except BaseException:
                sock.close()  # as asyncio leaves that to who has made it
                raise

        near, far = sockets(number)
        both = (self.connect, near, client_context), (self.accept, far, server_context)
        return [asyncio.ensure_future(closed_on_failure(*end)) for end in both]


WAYS = [Way("asyncio", installed=False), Way("uvloop", installed=False), Way("asyncio", installed=True)]
UPGRADES = [way._replace(upgrades=True) for way in WAYS]


def sockets(number: int) -> tuple[socket.socket, socket.socket]:
    """Two connected ones whose kernel's buffers are full soon."""
    ends = (tcp_pair, unix_pair)[number % 2]()
    for sock in ends:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    return ends


class Talker(asyncio.Protocol):
    """Once started, sends the stream as long as it may, and compares what it receives.

    `doing[place]` is called once, in the call of that name, when `enough` bytes have been received.
    """

    def __init__(self) -> None:
        self.transport: Any = None
        self.over: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.talks = False
        self.said = self.heard = self.enough = 0
        self.doing: dict[str, Callable[[], Any]] = {}
        self.news = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.number = transport.get_extra_info("socket").fileno()
        transport.set_write_buffer_limits(high=2 * PIECE)

    def talk(self) -> None:
        self.talks = True
        while self.talks and not self.transport.is_closing():
            self.say()

    def say(self) -> None:
        at = self.said % len(STREAM)
        self.said += PIECE
        self.transport.write((STREAM * 2)[at : at + PIECE])

    def pause_writing(self) -> None:
        self.talks = False
        self._do("pause_writing")

    def resume_writing(self) -> None:
        self._do("resume_writing")
        self.talk()

    def data_received(self, data: bytes) -> None:
        at = self.heard % len(STREAM)
        expected = (STREAM * (2 + len(data) // len(STREAM)))[at : at + len(data)]
        assert data == expected, f"wrong bytes after byte {self.heard}"
        self.heard += len(data)
        self.news.set()
        self._do("data_received")

    def hears_more(self) -> Awaitable[Any]:
        """Waits for more data to arrive."""
        self.news.clear()
        return self.news.wait()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.talks = False
        self.over.set_result(exc)

    def _do(self, place: str) -> None:
        if self.heard >= self.enough and (action := self.doing.pop(place, None)) is not None:
            action()
