"""Back-pressure in both directions: an end that cannot keep up makes the other wait, and memory stays bounded."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.aio.protocols import Echo, Recorder, fill

DATA = os.urandom(1 << 20)


def test_a_paused_protocol_gets_nothing_until_it_resumes(loops, pairings):
    async def main():
        async with pairings.connected(client=lambda: Recorder(), server=Echo) as (client, _):
            client.transport.pause_reading()
            client.transport.write(DATA)
            for _ in range(20):
                await asyncio.sleep(0)
            assert not client.data
            client.transport.resume_reading()
            assert await client.receive(len(DATA)) == DATA

    loops.run(main)


def test_a_pause_between_records_that_have_arrived_loses_nothing(loops, ends):
    """One read takes many records from the kernel: those left must be delivered without another read."""

    class Stepwise(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()
            assert not self.transport.is_reading()
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)

    async def main():
        async with ends.connected(server=Stepwise) as (client, server):
            client.transport.write(DATA)
            assert await server.receive(len(DATA)) == DATA

    loops.run(main)


def test_a_pause_in_connection_made_holds_back_data_that_came_with_the_handshake(loops, ends):
    class Paused(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.pause_reading()

    async def main():
        async with ends.connected(server=Paused) as (client, server):
            client.transport.write(b"at once")
            for _ in range(20):
                await asyncio.sleep(0)
            assert not server.data
            server.transport.resume_reading()
            assert await server.receive(7) == b"at once"

    loops.run(main)


def test_a_writer_is_told_to_pause_and_to_resume(loops, pairings):
    async def main():
        async with pairings.connected() as (client, server):
            server.transport.pause_reading()
            client.transport.set_write_buffer_limits(high=100_000)
            assert client.transport.get_write_buffer_limits() == (25_000, 100_000)
            written = fill(client.transport)
            assert client.told == ["made", "pause"]
            assert client.transport.get_write_buffer_size() > 100_000
            server.transport.resume_reading()
            await client.writable.wait()
            assert client.transport.get_write_buffer_size() <= 25_000
            assert len(await server.receive(written)) == written
            assert client.told == ["made", "pause", "resume"]

    loops.run(main)


def test_with_a_limit_of_zero_a_writer_resumes_when_everything_is_sent(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            client.transport.set_write_buffer_limits(0)
            server.transport.pause_reading()
            fill(client.transport)
            server.transport.resume_reading()
            await client.writable.wait()
            assert client.transport.get_write_buffer_size() == 0

    loops.run(main)


@pytest.mark.parametrize("limits", [{"high": -1}, {"low": -1}, {"high": 1, "low": 2}])
def test_limits_must_be_in_order(loops, ends, limits):
    async def main():
        async with ends.connected() as (client, _):
            with pytest.raises(ValueError, match="must be >= low"):
                client.transport.set_write_buffer_limits(**limits)

    loops.run(main)


def test_a_protocol_that_writes_in_resume_writing_is_paused_again(loops, ends):
    class Pump(Recorder):
        left = 200

        def resume_writing(self):
            super().resume_writing()
            self.pump()

        def pump(self):
            while self.left and self.writable.is_set():
                self.left -= 1
                self.transport.write(bytes(128 * 1024))

    async def main():
        async with ends.connected(client=Pump) as (client, server):
            client.pump()
            assert len(await server.receive(200 * 128 * 1024)) == 200 * 128 * 1024
            assert client.told.count("pause") >= client.told.count("resume")

    loops.run(main)


def test_a_waiting_connection_does_not_wake_the_loop(loops, ends):
    """Paused with data in the kernel, blocked by a full kernel, and after the peer's end of file."""
    if loops.name == "uvloop":
        pytest.skip("only asyncio's loop can be asked for the events that its selector had")

    async def main():
        async with ends.connected(server=lambda: Recorder(keep_open=True)) as (client, server):
            server.transport.pause_reading()
            fill(client.transport)
            await nothing_happens()
            server.transport.resume_reading()
            client.transport.write_eof()
            await server.hear("eof")
            await nothing_happens()

    loops.run(main)


async def nothing_happens():
    """The loop's selector reports no events once everything has settled, until a timer ends its wait."""
    loop = asyncio.get_running_loop()
    select, events = loop._selector.select, []

    def recording(timeout=None):
        found = select(timeout)
        events.append(found)
        return found

    loop._selector.select = recording
    try:
        while not events or events[-1]:
            await asyncio.sleep(0.01)
            assert len(events) < 10_000
    finally:
        loop._selector.select = select
