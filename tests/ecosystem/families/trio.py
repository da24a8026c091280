"""trio's SSLStream and SSLListener."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any

from tests.ecosystem.families.portals import served
from tests.ecosystem.terms import Terms
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.servers import LENGTH, message


def client(terms: Terms, port: int, data: bytes) -> bytes:
    import trio

    async def talk() -> bytes:
        async with await trio.open_ssl_over_tcp_stream(HOST, port, ssl_context=terms.client_context) as stream:
            await stream.send_all(message(data))
            header = await _receive_exactly(stream, LENGTH)
            return await _receive_exactly(stream, int.from_bytes(header, "big"))

    return trio.run(talk)


def server(terms: Terms) -> AbstractContextManager[int]:
    return served(_serve(terms), "trio")


@contextlib.asynccontextmanager
async def _serve(terms: Terms) -> AsyncIterator[int]:
    import trio

    async def answer(stream: Any) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            async with stream:
                while header := await _receive_exactly(stream, LENGTH):
                    await stream.send_all(header + await _receive_exactly(stream, int.from_bytes(header, "big")))

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_ssl_over_tcp_listeners(0, terms.server_context, host=ADDRESS)
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        yield listener.transport_listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def _receive_exactly(stream: Any, size: int) -> bytes:
    received = bytearray()
    while len(received) < size and (data := await stream.receive_some(size - len(received))):
        received += data
    return bytes(received)
