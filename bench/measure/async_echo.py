"""asyncio echo: CPU microseconds per round trip of 64 bytes, both ends added, two protocols, one loop, one CPU."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

import loops
from endpoints import NAME, allowed_cpus, client_context, listener, negotiated, pin, server_context, tcp_to

if TYPE_CHECKING:
    from pathlib import Path

    from rows import Row

UNIT = "CPU µs/round trip"
SIZE = 64
WARM_UP = 500


def sample(row: Row, folder: Path, *, round_trips: int) -> dict[str, Any]:
    pin(allowed_cpus()[:1])
    return loops.run(row, _measure(row, folder, round_trips))  # type: ignore[no-any-return]


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Ping(asyncio.Protocol):
    """Sends a message, and the next one whenever it is back; `done` is the CPU time of all."""

    def __init__(self, round_trips: int) -> None:
        self.left = WARM_UP + round_trips
        self.counted = round_trips
        self.message = os.urandom(SIZE)
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.message)

    def data_received(self, data: bytes) -> None:
        if data != self.message:
            self.done.set_exception(RuntimeError("the answer differs from the question"))
            return
        self.left -= 1
        if self.left == self.counted:
            self.start = time.process_time()
        if self.left:
            self.transport.write(data)
        else:
            self.done.set_result(time.process_time() - self.start)

    def connection_lost(self, exception: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exception or RuntimeError("the connection ended early"))


async def _measure(row: Row, folder: Path, round_trips: int) -> dict[str, Any]:
    tls = row.tls()
    listening = listener()
    server = await loops.create_server(row, Echo, server_context(tls, folder), listening)
    near = tcp_to(listening.getsockname())
    near.setblocking(False)
    transport, ping = await loops.create_connection(
        row, lambda: Ping(round_trips), client_context(tls, folder), near, NAME
    )
    spent = await ping.done
    about = negotiated(tls, transport)
    transport.abort()
    server.close()
    return {"value": spent / round_trips * 1e6, "parts": {}, **about}
