"""A transport's client resumes by itself, from the session store of its context."""

from __future__ import annotations

import asyncio

import pytest

import wiretight
from tests.aio.protocols import Recorder
from wiretight import asyncio as native


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
            assert [await resumes(native.create_connection, address, context) for _ in range(3)] == [False, True, True]
        assert len(store) > 0

    loops.run(main)


@pytest.mark.parametrize("ours", [True, False], ids=["wiretight.asyncio", "the loop"])
def test_the_second_start_tls_resumes_the_first(loops, ends, ours):
    async def main():
        context = ends.client_context()
        context.session_store = wiretight.MemorySessionStore()
        loop = asyncio.get_running_loop()
        start_tls = native.start_tls if ours else loop.start_tls
        reused = []
        async with ends.serving(answers) as address:
            for _ in range(3):
                plain, client = await loop.create_connection(Recorder, *address)
                transport = await start_tls(plain, client, context, server_hostname="localhost")
                assert await client.receive(5) == b"hello"
                reused.append(transport.get_extra_info("ssl_object").session_reused)
                transport.close()
                await client.lost()
        assert reused == [False, True, True]

    loops.run(main)


class OneServer:
    """A store that takes servers of one name on different ports for the same."""

    def __init__(self) -> None:
        self.sessions: list[object] = []

    def put(self, key, session):
        self.sessions.append(session)

    def take(self, key):
        return self.sessions.pop() if self.sessions else None


def test_transports_of_two_contexts_resume_by_one_ring(loops, ends):
    """And through a rotation."""

    async def main():
        context = ends.client_context()
        context.session_store = OneServer()
        ring = wiretight.TicketKeys()
        reused = []
        for _ in range(3):
            server_context = ends.server_context()
            server_context.ticket_keys = ring
            async with ends.serving(answers, ssl=server_context) as address:
                reused.append(await resumes(native.create_connection, address, context))
            ring.rotate()
        assert reused == [False, True, True]

    loops.run(main)
