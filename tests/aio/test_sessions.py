"""A transport's client resumes by itself, from the session store of its context."""

from __future__ import annotations

import asyncio
import contextlib

import wiretight
from tests.aio.protocols import Recorder
from wiretight.asyncio import create_connection


def answers() -> Recorder:
    """A server that says something, with which a client of TLS 1.3 gets its tickets."""
    protocol = Recorder()
    made = protocol.connection_made

    def connection_made(transport):
        made(transport)
        transport.write(b"hello")

    protocol.connection_made = connection_made
    return protocol


async def resumes(connect, address, context) -> bool:
    _, client = await connect(Recorder, *address, ssl=context, server_hostname="localhost")
    assert await client.receive(5) == b"hello"
    reused = client.transport.get_extra_info("ssl_object").session_reused
    client.transport.close()
    await client.lost()
    return reused


def test_the_second_transport_resumes_the_first(loops, ends):
    async def main():
        context = ends.client_context()
        context.session_store = store = wiretight.MemorySessionStore()
        async with ends.serving(answers) as address:
            assert [await resumes(create_connection, address, context) for _ in range(3)] == [False, True, True]
        assert len(store) > 0

    loops.run(main)


def test_the_second_start_tls_resumes_the_first(loops, ends):
    async def main():
        context, server_context = ends.client_context(), ends.server_context()
        context.session_store = wiretight.MemorySessionStore()

        async def serve(reader, writer):
            with contextlib.suppress(OSError):
                await writer.start_tls(server_context)
                writer.write(b"hello")
                await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reused = []
        async with server:
            for _ in range(3):
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                await writer.start_tls(context, server_hostname="localhost")
                assert await reader.readexactly(5) == b"hello"
                reused.append(writer.get_extra_info("ssl_object").session_reused)
                writer.close()
                await writer.wait_closed()
        assert reused == [False, True, True]

    loops.run(main)
