"""A crowd: one asyncio server in this process, and others that open any number of connections to it.

The crowd's client is the standard library's for every row, and does not check the server's certificate: only what the
server pays is measured. Each process of it has an address of its own, 127.0.0.2 and on, so that ports do not run out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import loops
from endpoints import allowed_cpus, listener, pin, server_context
from measure.async_echo import Echo
from measure.latency import seconds_of_echo
from rows import Row

SIZE = 64
PAUSE = 0.01  # between two echoes that are timed
IP_BIND_ADDRESS_NO_PORT = 24  # socket has the name from Python 3.12 on


class Crowd:
    """What the processes are told to do. Each verb returns when all have done it."""

    def __init__(self, pipes: list[Connection]) -> None:
        self._pipes = pipes

    async def grow(self, to: int) -> None:
        """To so many connections, which have shaken hands, sent a message, and have it back."""
        await self._all("grow", to)

    async def speak(self, count: int) -> None:
        """A message and its echo on each of `count` connections."""
        await self._all("speak", count)

    async def visit(self, seconds: float, resumes: bool) -> int:
        """Connections that come, send a message and go, from every process but the first, one at a time; how many."""
        return sum(await asyncio.gather(*(_told(pipe, "visit", seconds, resumes) for pipe in self._pipes[1:])))

    async def echo(self, seconds: float) -> list[float]:
        """How long echoes take on the first process's connections, now on one, now on another."""
        return await _told(self._pipes[0], "echo", seconds)  # type: ignore[no-any-return]

    async def leave(self) -> None:
        """Every connection ends, after the server has said that it does."""
        await self._all("leave", 0)

    async def _all(self, verb: str, number: int) -> None:
        each, more = divmod(number, len(self._pipes))
        await asyncio.gather(*(_told(pipe, verb, each + (i < more)) for i, pipe in enumerate(self._pipes)))


async def _told(pipe: Connection, verb: str, *arguments: Any) -> Any:
    loop = asyncio.get_running_loop()
    answered = loop.create_future()
    loop.add_reader(pipe.fileno(), lambda: answered.done() or answered.set_result(None))
    pipe.send((verb, arguments))
    await answered
    loop.remove_reader(pipe.fileno())
    try:
        failure, result = pipe.recv()
    except EOFError:
        raise RuntimeError("the crowd's process ended") from None
    if failure:
        raise RuntimeError(failure)
    return result


@asynccontextmanager
async def crowd(row: Row, folder: Path) -> AsyncIterator[Crowd]:
    """An echo server on this loop's CPU, and its crowd on another CPU."""
    listening = listener(backlog=1000)
    with processes(listening, 1) as clients:
        server = await loops.create_server(row, Echo, server_context(row.tls(), folder), listening)
        yield clients
        server.close()


@contextmanager
def processes(listening: socket.socket, count: int) -> Iterator[Crowd]:
    """Only the crowd, of so many processes, on the last CPU; what serves it is left with the first one."""
    pipes: list[Connection] = []
    children: list[int] = []
    try:
        for number in range(count):
            pipe, child = _forked(listening, f"127.0.0.{2 + number}")
            pipes.append(pipe)
            children.append(child)
        pin(allowed_cpus()[:1])
        yield Crowd(pipes)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _forked(listening: socket.socket, source: str) -> tuple[Connection, int]:
    ours, theirs = Pipe()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            pin(allowed_cpus()[-1:])
            address = listening.getsockname()
            listening.close()
            _attend(theirs, Clients(address, source))
        finally:
            os._exit(1)
    theirs.close()
    return ours, child


def _attend(pipe: Connection, clients: Clients) -> None:
    while True:
        verb, arguments = pipe.recv()
        try:
            pipe.send(("", getattr(clients, verb)(*arguments)))
        except Exception as error:  # whatever it is, the other process reports it
            pipe.send((f"the crowd's client failed: {error!r}", None))


class Clients:
    """Those of one process, which does what Crowd says."""

    def __init__(self, address: tuple[str, int], source: str) -> None:
        self.address = address
        self.source = source
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.kept: list[ssl.SSLSocket] = []
        self.message = os.urandom(SIZE)

    def connect(self, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        plain = socket.socket()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The port is chosen by connect(), which may take one that is still held by an earlier crowd's server.
        plain.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        plain.bind((self.source, 0))
        plain.connect(self.address)
        conn = self.context.wrap_socket(plain, session=session)
        self.exchange(conn)
        return conn

    def exchange(self, conn: ssl.SSLSocket) -> None:
        conn.sendall(self.message)
        if conn.recv(SIZE) != self.message:
            raise RuntimeError("the answer differs from the question")

    def grow(self, to: int) -> None:
        while len(self.kept) < to:
            self.kept.append(self.connect())

    def speak(self, count: int) -> None:
        for conn in self.kept[:count]:
            self.exchange(conn)

    def visit(self, seconds: float, resumes: bool) -> int:
        session = self.kept[0].session if resumes else None
        done, end = 0, time.monotonic() + seconds
        while done == 0 or time.monotonic() < end:
            conn = self.connect(session)
            if conn.session_reused is not resumes:
                raise RuntimeError("what should have been resumed was not, or the reverse")
            session = conn.session if resumes else None
            conn.unwrap().close()
            done += 1
        return done

    def echo(self, seconds: float) -> list[float]:
        with suppress(PermissionError):  # else the visitors on this CPU are measured, too
            os.nice(-20)
        times: list[float] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            conn = self.kept[len(times) % len(self.kept)]
            times.append(seconds_of_echo(conn, self.message))
            time.sleep(PAUSE)
        return times

    def leave(self, _: int) -> None:
        for conn in self.kept:
            if conn.recv(SIZE):
                raise RuntimeError("the server says something instead of the end")
            conn.unwrap().close()
        self.kept.clear()
