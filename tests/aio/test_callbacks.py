"""A callback of OpenSSL runs in the middle of a step, and may use the transport as a protocol's callback may."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.aio.protocols import Recorder
from tests.incidents.eventloops import sockets
from tests.kit.threads import PATIENCE

DATA = os.urandom(120_000)  # more than the kernel buffers for these sockets
NOTE = b"in a callback"


class Talking(Recorder):
    """Writes DATA, and closes once it has received as much."""

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.write(DATA)
        transport.write(DATA)

    def data_received(self, data):
        super().data_received(data)
        if len(self.data) >= 2 * len(DATA):
            self.transport.close()


def aborts(client):
    client.transport.abort()


def closes(client):
    client.transport.close()


def writes(client):
    client.transport.write(NOTE)


def pauses(client):
    client.transport.pause_reading()
    asyncio.get_running_loop().call_soon(client.transport.resume_reading)


async def exchange(way, ends, action, number):
    """Lets the client's callback act in its call of that number. Returns client, server, and whether it did."""
    calls = 0
    client = Talking()

    def message(*_):
        nonlocal calls
        if client.transport is None:
            return
        if calls == number:
            client.had = len(client.data)
            action(client)
        calls += 1

    near, far = sockets(1)
    context = ends.client_context()
    context._msg_callback = message
    _, server = await asyncio.gather(
        way.connect(lambda: client, near, context), way.accept(Talking, far, ends.server_context())
    )
    for side in (client, server):
        error = await asyncio.wait_for(side.lost(), PATIENCE)
        assert error is None or isinstance(error, OSError), error
    assert client.transport.get_write_buffer_size() == 0
    return client, server, calls > number


@pytest.mark.parametrize("action", [aborts, closes, writes, pauses])
def test_a_message_callback_may_use_its_transport(way, ends, action):
    """At every message of a connection: in a read, a write, a write that had to wait, and the end."""

    async def main():
        for number in range(1000):
            client, server, acted = await exchange(way, ends, action, number)
            if action in (aborts, closes) and acted:
                assert len(client.data) == client.had, "it got data after the end"
            if action is writes:
                # Before, between or after what the protocol wrote, or too late; but never inside.
                assert bytes(server.data[:240_000]).replace(NOTE, b"") in (DATA + DATA)
            if not acted:
                break
        assert number > 10

    way.run(main)
