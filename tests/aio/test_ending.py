"""How a connection ends: nothing that was written is lost, and a truncated stream never passes for a complete one."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl as standard
import struct
import sys
import weakref

import pytest

from tests.aio.ends import over_sockets, works_and_closes
from tests.aio.protocols import Echo, Recorder, fill
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.sockets import tcp_pair
from wiretight import asyncio as native

DATA = os.urandom(3 << 20)


def test_close_sends_everything_that_was_written(loops, pairings):
    async def main():
        async with pairings.connected() as (client, server):
            client.transport.write(DATA)
            client.transport.close()
            assert client.transport.is_closing()
            assert await server.receive(len(DATA)) == DATA
            assert await server.lost() is None
            if pairings.server == "ours" or sys.version_info >= (3, 11):  # older ones only call connection_lost()
                assert "eof" in server.told
            assert await client.lost() is None

    loops.run(main)


class Deaf(asyncio.Protocol):
    """A protocol whose connection_lost() cannot even be looked up."""

    @property
    def connection_lost(self):
        raise LookupError("no such method")


def test_a_protocol_that_cannot_be_told_of_the_end_keeps_no_descriptor(loops, ends):
    async def main():
        reported = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reported.set_result(report["exception"]))
        async with ends.connected() as (client, server):
            transport, sock = client.transport, client.transport.get_extra_info("socket")
            transport.set_protocol(Deaf())
            transport.abort()
            await server.lost()
            assert type(await reported) is LookupError
            assert sock.fileno() == -1

    loops.run(main)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="an older Python's wait_closed() waits for no connection")
def test_a_server_does_not_wait_for_a_connection_that_was_collected(loops, ends):
    if loops.name == "uvloop":
        pytest.skip("uvloop's wait_closed() waits for no connection")

    async def main():
        held = asyncio.Queue()

        class Holding(asyncio.Protocol):
            def connection_made(self, transport):
                transport.pause_reading()
                held.put_nowait(transport)

        server = await native.create_server(Holding, ADDRESS, 0, ssl=ends.server_context())
        address = server.sockets[0].getsockname()
        near, _ = await native.create_connection(
            asyncio.Protocol, *address, ssl=ends.client_context(), server_hostname=HOST
        )
        far = await held.get()
        server.close()
        closed = asyncio.ensure_future(server.wait_closed())
        await asyncio.sleep(0)
        reference = weakref.ref(far)
        with pytest.warns(ResourceWarning):
            far = gc.collect()
        assert reference() is None
        await closed
        near.abort()

    loops.run(main)


def test_after_close_nothing_is_delivered_or_sent(loops, ends):
    async def main():
        async with ends.connected(server=lambda: Recorder(keep_open=True)) as (client, server):
            client.transport.close()
            client.transport.write(b"too late")
            server.transport.write(b"unwanted")
            await server.hear("eof")
            server.transport.close()
            assert await client.lost() is None
            assert await server.lost() is None
            assert not client.data
            assert not server.data

    loops.run(main)


def test_a_peer_that_floods_a_closing_connection_is_cut_off_in_time(loops, ends):
    class Flood(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            self.resume_writing()

        def resume_writing(self):
            super().resume_writing()
            while self.writable.is_set() and not self.transport.is_closing():
                self.transport.write(bytes(1 << 16))

    async def main():
        flood = lambda: Flood(keep_open=True)  # noqa: E731
        async with ends.connected(server=flood, ssl_shutdown_timeout=0.05) as (client, _):
            client.transport.close()
            assert isinstance(await client.lost(), (TimeoutError, asyncio.TimeoutError))
            assert not client.data

    loops.run(main)


def test_a_peer_whose_answers_exceed_the_buffers_gets_everything_that_was_written(loops, ends):
    """It reads on only if somebody reads its answers: we do, and discard them, while output is left and afterwards."""

    async def main():
        async with ends.connected(server=Echo) as (client, server):
            for _ in range(4):
                client.transport.write(DATA)
            client.transport.close()
            assert await client.lost() is None
            assert await server.lost() is None
            assert server.data == 4 * DATA
            assert len(client.data) < len(DATA)

    loops.run(main)


def test_each_direction_ends_separately(loops, ends):
    async def main():
        async with ends.connected(server=lambda: Recorder(keep_open=True)) as (client, server):
            assert client.transport.can_write_eof()
            client.transport.write(DATA)
            client.transport.write_eof()
            with pytest.raises(RuntimeError, match="write_eof"):
                client.transport.write(b"more")
            await server.hear("eof")
            assert server.data == DATA
            assert not server.transport.is_closing()
            server.transport.write(DATA[::-1])
            assert await client.receive(len(DATA)) == DATA[::-1]
            server.transport.close()
            assert await client.lost() is None
            assert await server.lost() is None

    loops.run(main)


@pytest.mark.parametrize("data", [b"", b"that was all"])
def test_an_end_that_was_written_during_the_handshake_follows_it(loops, ends, data):
    async def main():
        near, far = tcp_pair()
        near.setblocking(False)
        loop = asyncio.get_running_loop()
        client, waiter = Recorder(), loop.create_future()
        transport = native.Transport(loop, near, client, ends.client_context(), waiter, server_hostname=HOST)
        transport.write(data)
        transport.write_eof()
        accepting = native.connect_accepted_socket(lambda: Recorder(keep_open=True), far, ssl=ends.server_context())
        _, server = await accepting
        await server.hear("eof")
        assert server.data == data
        server.transport.close()
        assert await client.lost() is None

    loops.run(main)


def test_a_stream_can_be_answered_after_its_end(loops, ends):
    async def handle(reader, writer):
        writer.write((await reader.read())[::-1])
        await writer.drain()
        writer.close()

    async def main():
        server = await native.start_server(handle, "127.0.0.1", 0, ssl=ends.server_context())
        address = server.sockets[0].getsockname()
        reader, writer = await native.open_connection(*address, ssl=ends.client_context(), server_hostname=HOST)
        writer.write(DATA)
        writer.write_eof()
        assert await reader.read() == DATA[::-1]
        writer.close()
        await writer.wait_closed()
        server.close()

    loops.run(main)


def test_an_end_without_close_notify_is_an_error(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            client.transport.write(b"half of it")
            await server.receive(1)
            client.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
            assert isinstance(await server.lost(), standard.SSLEOFError)
            assert "eof" not in server.told

    loops.run(main)


def test_reading_a_truncated_stream_raises(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            reader = asyncio.StreamReader()
            server.transport.set_protocol(asyncio.StreamReaderProtocol(reader))
            client.transport.write(b"half of it")
            assert await reader.readexactly(4) == b"half"
            client.transport.abort()
            with pytest.raises((standard.SSLEOFError, ConnectionResetError)):
                await reader.read()

    loops.run(main)


def test_a_reset_is_reported_to_the_protocol(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            sock = client.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.transport.abort()
            assert isinstance(await server.lost(), ConnectionResetError)
            assert await client.lost() is None

    loops.run(main)


def test_a_peer_that_never_answers_close_notify_is_cut_off_in_time(loops, ends):
    async def main():
        async with ends.connected(ssl_shutdown_timeout=0.05) as (client, server):
            server.transport.pause_reading()
            client.transport.close()
            assert isinstance(await client.lost(), (TimeoutError, asyncio.TimeoutError))

    loops.run(main)


def test_a_peer_that_never_reads_the_rest_is_cut_off_in_time(loops, ends):
    async def main():
        async with ends.connected(ssl_shutdown_timeout=0.05) as (client, server):
            server.transport.pause_reading()
            fill(client.transport)
            client.transport.close()
            assert isinstance(await client.lost(), (TimeoutError, asyncio.TimeoutError))
            assert client.transport.get_write_buffer_size() == 0

    loops.run(main)


def test_a_peer_that_closes_after_our_close_notify_has_truncated_nothing(loops, ends):
    async def main():
        async with ends.connected(server=lambda: Recorder(keep_open=True)) as (client, server):
            client.transport.close()
            await server.hear("eof")
            server.transport.abort()
            assert await client.lost() is None

    loops.run(main)


def test_abort_ends_at_once(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            server.transport.pause_reading()
            fill(client.transport)
            client.transport.abort()
            client.transport.close()
            assert await client.lost() is None
            assert client.told == ["made", "pause", "lost"]

    loops.run(main)


def test_close_works_inside_the_protocol_s_callbacks(loops, ends):
    class Once(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.abort()

    async def main():
        async with ends.connected(server=Once) as (client, server):
            client.transport.write(DATA)
            assert await server.lost() is None
            assert 0 < len(server.data) < len(DATA)

    loops.run(main)


def test_a_closed_server_keeps_its_connections_open(loops, ends):
    async def main():
        loop = asyncio.get_running_loop()
        server = await native.create_server(Echo, "127.0.0.1", 0, ssl=ends.server_context())
        client = await ends.connect(Recorder, server.sockets[0].getsockname())
        server.close()
        client.transport.write(b"still there")
        assert await client.receive(11) == b"still there"
        client.transport.close()
        assert await client.lost() is None
        await server.wait_closed()
        assert loop.is_running()

    loops.run(main)


# --- A readiness that is reported once --------------------------------------------------------------------------------


class Until(Recorder):
    """Acts when it is connected, and when it receives data."""

    def __init__(self, state):
        super().__init__(keep_open=True)
        self.state = state

    def data_received(self, data):
        super().data_received(data)
        if self.state == "pausing":
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)
        elif self.state == "closing":
            self.transport.close()


@pytest.mark.parametrize("state", ["reading", "pausing", "closing", "paused"])
def test_data_and_a_reset_that_arrive_together_are_both_reported(way, ends, state):
    """libuv reports a descriptor in error once, and not again."""

    async def main():
        loop = asyncio.get_running_loop()
        near, far = tcp_pair()
        far.setblocking(False)
        accepting = asyncio.ensure_future(way.accept(lambda: Until(state), far, ends.server_context()))
        client = await loop.run_in_executor(None, lambda: ends.client_context().wrap_socket(near, server_hostname=HOST))
        server = await accepting
        if state == "paused":
            server.transport.pause_reading()
        client.sendall(b"x" * 100_000)  # and a reset, before the loop has its next turn
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        if state == "paused":
            for _ in range(3):
                await asyncio.sleep(0)
            server.transport.resume_reading()
        error = await server.lost()
        assert error is None or isinstance(error, OSError)
        assert server.data

    way.run(main)


# --- The end, as asyncio has it ---------------------------------------------------------------------------------------


def test_after_install_a_closing_protocol_is_told_of_the_peer_s_end(way, ends):
    """As with asyncio's TLS. The functions of wiretight.asyncio only call connection_lost() on a closing protocol."""

    async def main():
        async with over_sockets(way, ends) as (client, server):
            await works_and_closes(client, server)
            assert client.told == (["made", "eof", "lost"] if way.installed else ["made", "lost"])
            assert server.told == ["made", "eof", "lost"]

    way.run(main)


@pytest.mark.parametrize("method", ["data_received", "eof_received"])
def test_a_cancelled_error_ends_the_connection_and_is_not_reported(way, ends, method):
    def cancelled(self, *_):
        raise asyncio.CancelledError

    async def main():
        kind = type("Cancelled", (Recorder,), {method: cancelled})
        async with over_sockets(way, ends, server=kind) as (client, server):
            client.transport.write(b"data")
            client.transport.close()
            assert isinstance(await server.lost(), asyncio.CancelledError)
            await client.lost()

    way.run(main)
