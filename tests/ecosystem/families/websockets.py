"""websockets, on asyncio and in threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager

from tests.ecosystem.families.portals import served
from tests.ecosystem.terms import Terms
from tests.kit.certificates import ADDRESS, HOST

OPTIONS = {"max_size": None, "compression": None}


def client(terms: Terms, port: int, data: bytes) -> bytes:
    from websockets.asyncio.client import connect

    async def talk() -> bytes:
        async with connect(f"wss://{HOST}:{port}", ssl=terms.client_context, proxy=None, **OPTIONS) as socket:
            await socket.send(data)
            return await socket.recv()

    return asyncio.run(talk())


def server(terms: Terms) -> AbstractContextManager[int]:
    return served(_serve(terms))


@contextlib.asynccontextmanager
async def _serve(terms: Terms) -> AsyncIterator[int]:
    from websockets.asyncio.server import ServerConnection, serve

    async def answer(socket: ServerConnection) -> None:
        async for data in socket:
            await socket.send(data)

    async with serve(answer, ADDRESS, 0, ssl=terms.server_context, **OPTIONS) as server:
        yield server.sockets[0].getsockname()[1]


def threaded_client(terms: Terms, port: int, data: bytes) -> bytes:
    from websockets.sync.client import connect

    with connect(f"wss://{HOST}:{port}", ssl=terms.client_context, proxy=None, **OPTIONS) as socket:
        socket.send(data)
        return socket.recv()


@contextlib.contextmanager
def threaded_server(terms: Terms) -> Iterator[int]:
    from websockets.sync.server import ServerConnection, serve

    def answer(socket: ServerConnection) -> None:
        for data in socket:
            socket.send(data)

    with serve(answer, ADDRESS, 0, ssl=terms.server_context, **OPTIONS) as server:
        serving = threading.Thread(target=server.serve_forever, name="websockets")
        serving.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            serving.join()
