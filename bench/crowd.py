"""A crowd: one asyncio server in this process, and a second process that opens any number of connections to it.

The crowd's client is the standard library's for every row, and does not check the server's certificate: only what the
server pays is measured. `grow(to)` returns when all connections have shaken hands; `speak(count)` when each of `count`
connections has sent a message and has it back.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import loops
from endpoints import allowed_cpus, listener, pin, server_context, tcp_to
from measure.async_echo import Echo
from rows import Row

SIZE = 64


class Crowd:
    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    async def grow(self, to: int) -> None:
        await self._told("grow", to)

    async def speak(self, count: int) -> None:
        await self._told("speak", count)

    async def _told(self, verb: str, number: int) -> None:
        loop = asyncio.get_running_loop()
        answered = loop.create_future()
        loop.add_reader(self._pipe.fileno(), lambda: answered.done() or answered.set_result(None))
        self._pipe.send((verb, number))
        await answered
        loop.remove_reader(self._pipe.fileno())
        try:
            failure = self._pipe.recv()
        except EOFError:
            raise RuntimeError("the crowd's process ended") from None
        if failure:
            raise RuntimeError(failure)


@asynccontextmanager
async def crowd(row: Row, folder: Path) -> AsyncIterator[Crowd]:
    """An echo server on this loop's CPU, and its crowd on another CPU."""
    listening = listener(backlog=1000)
    ours, child = _forked(listening)
    try:
        pin(allowed_cpus()[:1])
        server = await loops.create_server(row, Echo, server_context(row.tls(), folder), listening)
        yield Crowd(ours)
        server.close()
    finally:
        os.kill(child, signal.SIGKILL)


def _forked(listening: socket.socket) -> tuple[Connection, int]:
    ours, theirs = Pipe()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            pin(allowed_cpus()[-1:])
            address = listening.getsockname()
            listening.close()
            _attend(theirs, address)
        finally:
            os._exit(1)
    theirs.close()
    return ours, child


def _attend(pipe: Connection, address: tuple[str, int]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    kept: list[ssl.SSLSocket] = []
    message = os.urandom(SIZE)

    def grow(to: int) -> None:
        while len(kept) < to:
            kept.append(context.wrap_socket(tcp_to(address)))
            _exchange(kept[-1:], message)

    def speak(count: int) -> None:
        _exchange(kept[:count], message)

    verbs: dict[str, Any] = {"grow": grow, "speak": speak}
    while True:
        verb, number = pipe.recv()
        try:
            verbs[verb](number)
            pipe.send("")
        except Exception as error:  # whatever it is, the other process reports it
            pipe.send(f"the crowd's client failed: {error!r}")


def _exchange(connections: list[ssl.SSLSocket], message: bytes) -> None:
    for conn in connections:
        conn.sendall(message)
        if conn.recv(SIZE) != message:
            raise RuntimeError("the answer differs from the question")
