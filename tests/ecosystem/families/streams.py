"""asyncio's streams, TLS from the start and after start_tls, on its own loop and on uvloop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any

from tests.ecosystem.families.portals import served
from tests.ecosystem.terms import Terms
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.servers import LENGTH, message

UPGRADE = b"STARTTLS\n"


def client(terms: Terms, port: int, data: bytes) -> bytes:
    return asyncio.run(_talk(terms, port, data))


def start_tls_client(terms: Terms, port: int, data: bytes) -> bytes:
    return asyncio.run(_upgrade_and_talk(terms, port, data))


def uvloop_client(terms: Terms, port: int, data: bytes) -> bytes:
    import uvloop

    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(_talk(terms, port, data))
    finally:
        loop.close()


def server(terms: Terms) -> AbstractContextManager[int]:
    return served(_serve(_answer, ssl=terms.server_context))


def start_tls_server(terms: Terms) -> AbstractContextManager[int]:
    context = terms.server_context

    async def upgrade_and_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(UPGRADE)) == UPGRADE
        writer.write(UPGRADE)
        try:
            await writer.start_tls(context)
        except OSError:
            writer.close()
            return
        await _answer(reader, writer)

    return served(_serve(upgrade_and_answer))


def uvloop_server(terms: Terms) -> AbstractContextManager[int]:
    return served(_serve(_answer, ssl=terms.server_context), use_uvloop=True)


@contextlib.asynccontextmanager
async def _serve(answer: Callable[..., Any], **options: Any) -> AsyncIterator[int]:
    async with await asyncio.start_server(answer, ADDRESS, 0, **options) as server:
        yield server.sockets[0].getsockname()[1]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            header = await reader.readexactly(LENGTH)
            writer.write(header + await reader.readexactly(int.from_bytes(header, "big")))
            await writer.drain()
    await _close(writer)


async def _talk(terms: Terms, port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port, ssl=terms.client_context)
    return await _exchange(reader, writer, data)


async def _upgrade_and_talk(terms: Terms, port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(UPGRADE)
    assert await reader.readexactly(len(UPGRADE)) == UPGRADE
    try:
        await writer.start_tls(terms.client_context, server_hostname=HOST)
    except BaseException:
        writer.close()
        raise
    return await _exchange(reader, writer, data)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    try:
        writer.write(message(data))
        await writer.drain()
        header = await reader.readexactly(LENGTH)
        return await reader.readexactly(int.from_bytes(header, "big"))
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
