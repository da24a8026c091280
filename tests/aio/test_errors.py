"""What a protocol raises is told to the loop's exception handler, in asyncio's words, and ends the connection."""

from __future__ import annotations

import pytest

from tests.aio.protocols import Buffered, Recorder, fill


class Broken(Exception):
    """What the protocols of these tests raise."""


def failing(method, base=Recorder):
    def fail(self, *args):
        raise Broken(method)

    return type("Failing", (base,), {method: fail})


def told(loops, method, message):
    (report,) = loops.reports
    assert report["message"] == message
    assert isinstance(report["exception"], Broken)
    assert report["transport"] is not None
    assert hasattr(report["protocol"], method)


def test_data_received(loops, ends):
    async def main():
        async with ends.connected(server=failing("data_received")) as (client, server):
            client.transport.write(b"data")
            assert isinstance(await server.lost(), Broken)

    loops.run_reporting(main)
    told(loops, "data_received", "Fatal error: protocol.data_received() call failed.")


def test_eof_received(loops, ends):
    async def main():
        async with ends.connected(server=failing("eof_received")) as (client, server):
            client.transport.close()
            assert isinstance(await server.lost(), Broken)

    loops.run_reporting(main)
    told(loops, "eof_received", "Fatal error: protocol.eof_received() call failed.")


@pytest.mark.parametrize("method", ["get_buffer", "buffer_updated"])
def test_the_calls_of_a_buffered_protocol(loops, ends, method):
    class Own(failing(method, Buffered)):
        def __init__(self):
            super().__init__(memoryview, 100)

        def connection_lost(self, exc):
            self.error = exc
            self.full.set()

    async def main():
        async with ends.connected(server=Own) as (client, server):
            client.transport.write(b"data")
            await server.full.wait()
            assert isinstance(server.error, Broken)

    loops.run_reporting(main)
    told(loops, method, f"Fatal error: protocol.{method}() call failed.")


def test_a_buffer_of_nothing_is_an_error(loops, ends):
    class Own(Buffered):
        def connection_lost(self, exc):
            self.error = exc
            self.full.set()

    async def main():
        async with ends.connected(server=lambda: Own(memoryview, 0)) as (client, server):
            client.transport.write(b"data")
            await server.full.wait()
            assert isinstance(server.error, RuntimeError)

    loops.run_reporting(main)
    assert loops.reports[0]["message"] == "Fatal error: protocol.get_buffer() call failed."


def test_connection_made_fails_the_connection(loops, ends):
    async def main():
        async with ends.serving(Recorder) as address:
            with pytest.raises(Broken):
                await ends.connect(failing("connection_made"), address)

    loops.run_reporting(main)
    told(loops, "connection_made", "Fatal error: protocol.connection_made() call failed.")


@pytest.mark.parametrize("method", ["pause_writing", "resume_writing"])
def test_flow_control_is_reported_and_goes_on(loops, ends, method):
    async def main():
        async with ends.connected(client=failing(method)) as (client, server):
            server.transport.pause_reading()
            written = fill(client.transport)
            server.transport.resume_reading()
            assert len(await server.receive(written)) == written
            assert not client.transport.is_closing()

    loops.run_reporting(main)
    told(loops, method, f"protocol.{method}() failed")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_ends_it(loops, ends, kind):
    class Ending(Recorder):
        def data_received(self, data):
            raise kind

    async def main():
        async with ends.connected(server=Ending) as (client, _):
            client.transport.write(b"data")
            await client.lost()

    with pytest.raises(kind):
        loops.run_reporting(main)
