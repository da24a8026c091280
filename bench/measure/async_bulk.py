"""asyncio bulk: CPU seconds per GiB, both ends added.

The server's protocol writes 1 MiB whenever it may (pause_writing, resume_writing); the client's takes what comes, by
data_received or as a BufferedProtocol with 256 KiB of room. Each end is a process of its own on a CPU of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING, Any

import loops
from endpoints import NAME, allowed_cpus, client_context, listener, negotiated, pin, server_context, tcp_to

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from rows import Row

UNIT = "CPU s/GiB"
CHUNK = 1 << 20
ROOM = 256 * 1024
WARM_UP = 4


def sample(row: Row, folder: Path, *, mib: int, buffered: bool) -> dict[str, Any]:
    listening = listener()
    cpus = allowed_cpus()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            pin(cpus[-1:])
            address = listening.getsockname()
            listening.close()
            report = loops.run(row, _receive(row, folder, address, mib, buffered))
            os.write(write_end, json.dumps(report).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    pin(cpus[:1])
    sent, about = loops.run(row, _send(row, folder, listening, mib))
    with os.fdopen(read_end, "rb") as pipe:
        received = json.loads(pipe.read() or "null")
    os.waitpid(child, 0)
    if received is None:
        raise RuntimeError("the receiving end failed")
    gib = mib / 1024
    parts = {"sender": sent / gib, "receiver": received / gib}
    return {"value": sum(parts.values()), "parts": parts, **about}


class Source(asyncio.Protocol):
    """Sends the warm-up; when it is answered, the rest; `done` when the client has hung up."""

    def __init__(self, mib: int) -> None:
        self.left = WARM_UP
        self.mib = mib
        self.chunk = os.urandom(CHUNK)
        self.paused = False
        self.spent = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.go()

    def data_received(self, data: bytes) -> None:
        """The first byte says that the warm-up is there; the second, that everything is."""
        for _ in data:
            if self.mib:
                self.start, self.left, self.mib = time.process_time(), self.mib, 0
                self.go()
            elif not self.done.done():
                self.done.set_result(time.process_time() - self.start)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.go()

    def go(self) -> None:
        while self.left and not self.paused:
            self.left -= 1
            self.transport.write(self.chunk)

    def connection_lost(self, exception: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exception or RuntimeError("the connection ended early"))


async def _send(row: Row, folder: Path, listening: socket.socket, mib: int) -> tuple[float, dict[str, Any]]:
    tls = row.tls()
    made: asyncio.Future[Source] = asyncio.get_running_loop().create_future()

    def source() -> Source:
        made.set_result(Source(mib))
        return made.result()

    server = await loops.create_server(row, source, server_context(tls, folder), listening)
    found = await made
    spent = await found.done
    about = negotiated(tls, found.transport)
    found.transport.abort()
    server.close()
    return spent, about


class Drain:
    """Counts; answers when the warm-up is there, and when everything is: then `done` is its CPU time."""

    def __init__(self, mib: int) -> None:
        self.left = WARM_UP * CHUNK
        self.mib = mib
        self.ended = asyncio.Event()
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def took(self, size: int) -> None:
        self.left -= size
        if self.left:
            return
        if self.mib:
            self.left, self.mib = self.mib * CHUNK, 0
            self.start = time.process_time()
        else:
            self.done.set_result(time.process_time() - self.start)
        self.transport.write(b"k")

    def connection_lost(self, exception: Exception | None) -> None:
        self.ended.set()
        if not self.done.done():
            self.done.set_exception(exception or RuntimeError("the connection ended early"))


class Receiver(Drain, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        self.took(len(data))


class BufferedReceiver(Drain, asyncio.BufferedProtocol):
    def __init__(self, mib: int) -> None:
        super().__init__(mib)
        self.room = memoryview(bytearray(ROOM))

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self.room

    def buffer_updated(self, nbytes: int) -> None:
        self.took(nbytes)


async def _receive(row: Row, folder: Path, address: tuple[str, int], mib: int, buffered: bool) -> float:
    near = tcp_to(address)
    near.setblocking(False)
    kind = BufferedReceiver if buffered else Receiver
    _, drain = await loops.create_connection(row, lambda: kind(mib), client_context(row.tls(), folder), near, NAME)
    spent = await drain.done
    # The other end counts until it has read the last byte; it hangs up first.
    await drain.ended.wait()
    return float(spent)
