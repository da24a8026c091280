"""anyio's TLSStream and TLSListener, on asyncio and on trio."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any

from tests.ecosystem.families.portals import served
from tests.ecosystem.terms import Client, Server, Terms
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.servers import LENGTH, message


def client(backend: str) -> Client:
    def run(terms: Terms, port: int, data: bytes) -> bytes:
        import anyio

        return anyio.run(_talk, terms, port, data, backend=backend)

    return run


def server(backend: str) -> Server:
    def serve(terms: Terms) -> AbstractContextManager[int]:
        return served(_serve(terms), backend)

    return serve


async def _talk(terms: Terms, port: int, data: bytes) -> bytes:
    import anyio
    from anyio.streams.buffered import BufferedByteReceiveStream

    async with await anyio.connect_tcp(HOST, port, tls=True, ssl_context=terms.client_context) as stream:
        await stream.send(message(data))
        buffered = BufferedByteReceiveStream(stream)
        header = await buffered.receive_exactly(LENGTH)
        return await buffered.receive_exactly(int.from_bytes(header, "big"))


@contextlib.asynccontextmanager
async def _serve(terms: Terms) -> AsyncIterator[int]:
    import anyio
    from anyio.abc import SocketAttribute
    from anyio.streams.buffered import BufferedByteReceiveStream
    from anyio.streams.tls import TLSListener

    async def answer(stream: Any) -> None:
        async with stream:
            buffered = BufferedByteReceiveStream(stream)
            with contextlib.suppress(anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    header = await buffered.receive_exactly(LENGTH)
                    await stream.send(header + await buffered.receive_exactly(int.from_bytes(header, "big")))

    plain = await anyio.create_tcp_listener(local_host=ADDRESS)
    async with TLSListener(plain, terms.server_context) as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        yield plain.extra(SocketAttribute.local_port)
        group.cancel_scope.cancel()
