"""Data arrives in both directions, whoever is at the other end and however it is delivered."""

from __future__ import annotations

import array
import asyncio
import os
import socket

import pytest

from tests.aio.ends import over_sockets
from tests.aio.protocols import Buffered, Echo, Recorder, fill
from tests.kit.certificates import HOST
from tests.kit.deliveries import Relay
from wiretight import asyncio as native

DATA = os.urandom(3 << 20)


def test_what_is_sent_comes_back(loops, pairings):
    async def main():
        async with pairings.connected(server=Echo) as (client, _):
            client.transport.write(DATA)
            assert await client.receive(len(DATA)) == DATA

    loops.run(main)


def test_both_ends_may_write_at_once(loops, pairings):
    async def main():
        async with pairings.connected() as (client, server):
            client.transport.write(DATA)
            server.transport.write(DATA[::-1])
            assert await client.receive(len(DATA)) == DATA[::-1]
            assert await server.receive(len(DATA)) == DATA

    loops.run(main)


def test_what_a_protocol_writes_when_the_connection_is_made_arrives(loops, pairings):
    class Greeting(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.write(b"hello")

    async def main():
        async with pairings.connected(client=Greeting, server=Greeting) as (client, server):
            assert await client.receive(5) == b"hello"
            assert await server.receive(5) == b"hello"

    loops.run(main)


@pytest.mark.parametrize("make", [lambda memory: memory, memoryview], ids=["bytearray", "memoryview"])
@pytest.mark.parametrize("size", [3, 5000, 200_000])
def test_a_buffered_protocol_gets_everything_in_its_own_buffers(loops, ends, make, size):
    data = DATA[: max(20_000, size)]

    async def main():
        async with ends.connected(server=lambda: Buffered(make, size)) as (client, server):
            client.transport.write(data)
            assert await server.receive(len(data)) == data

    loops.run(main)


def test_pieces_may_end_anywhere(loops, ends, delivery):
    data = DATA[:2000]

    async def main():
        with Relay(delivery) as relay:
            client_socket, server_socket = relay.client, relay.server
            accepting = asyncio.ensure_future(
                native.connect_accepted_socket(Echo, server_socket, ssl=ends.server_context())
            )
            _, client = await native.create_connection(
                Recorder, sock=client_socket, ssl=ends.client_context(), server_hostname=HOST
            )
            client.transport.write(data)
            assert await client.receive(len(data)) == data
            client.transport.close()
            assert await client.lost() is None
            _, server = await accepting
            assert await server.lost() is None

    loops.run(main)


def test_streams_exchange_data(loops, ends):
    async def handle(reader, writer):
        writer.write(await reader.readexactly(len(DATA)))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main():
        server = await native.start_server(handle, "127.0.0.1", 0, ssl=ends.server_context())
        address = server.sockets[0].getsockname()
        reader, writer = await native.open_connection(*address, ssl=ends.client_context(), server_hostname=HOST)
        writer.write(DATA)
        assert await reader.read() == DATA
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loops.run(main)


def test_streams_go_over_unix_sockets(loops, ends, tmp_path):
    path = str(tmp_path / "socket")

    async def handle(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async def main():
        server = await native.start_unix_server(handle, path, ssl=ends.server_context())
        reader, writer = await native.open_unix_connection(path, ssl=ends.client_context(), server_hostname=HOST)
        writer.write(b"line\n")
        assert await reader.read() == b"line\n"
        writer.close()
        await writer.wait_closed()
        server.close()

    loops.run(main)


def test_anything_bytes_like_can_be_written(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            pieces = (b"bytes", bytearray(b"bytearray"), memoryview(b"memoryview"), array.array("B", b"array"), b"")
            for piece in pieces:
                client.transport.write(piece)
            client.transport.writelines([b"two", bytearray(b" lines")])
            expected = b"".join(bytes(piece) for piece in pieces) + b"two lines"
            assert await server.receive(len(expected)) == expected
            with pytest.raises(TypeError, match="bytes-like"):
                client.transport.write("text")

    loops.run(main)


PIECES = [
    pytest.param([b"a" * size for size in range(300)], id="small"),
    pytest.param([DATA, b"", b"x", bytearray(DATA), memoryview(DATA)[1:70_000]], id="large"),
    pytest.param([b"x" * 16_384] * 9, id="records"),
]


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("full", [False, True], ids=["free", "full"])
def test_several_buffers_are_written_as_one(way, ends, pieces, full):
    async def main():
        async with over_sockets(way, ends) as (client, server):
            server.transport.pause_reading()
            filled = fill(client.transport) if full else 0
            ssl_object = client.transport.get_extra_info("ssl_object")
            before = ssl_object.connection_info().records_out
            own = [bytearray(piece) if isinstance(piece, bytearray) else piece for piece in pieces]
            client.transport.writelines(iter(own))
            for piece in own:
                if isinstance(piece, bytearray):
                    piece.clear()  # it is sent as it was
            expected = b"".join(pieces)
            server.transport.resume_reading()
            assert (await server.receive(filled + len(expected)))[filled:] == expected
            if not full:
                assert ssl_object.connection_info().records_out - before == -(-len(expected) // 16_384)
            client.transport.writelines([b"e", b"nd"])
            assert (await server.receive(filled + len(expected) + 3))[-3:] == b"end"

    way.run(main)


@pytest.mark.parametrize("wrong", [None, b"data", [b"data", "text"], [b"data", None]], ids=repr)
def test_of_other_things_nothing_is_written(way, ends, wrong):
    async def main():
        async with over_sockets(way, ends) as (client, server):
            with pytest.raises(TypeError):
                client.transport.writelines(wrong)
            client.transport.writelines([])
            client.transport.writelines([b"", b"data"])
            assert await server.receive(4) == b"data"

    way.run(main)


def test_after_the_end_lines_are_refused(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            client.transport.write_eof()
            with pytest.raises(RuntimeError, match="write_eof"):
                client.transport.writelines([b"more"])
            await server.hear("eof")

    loops.run(main)


def test_a_buffer_that_changes_after_the_write_is_sent_as_it_was(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            server.transport.pause_reading()
            filled = fill(client.transport)
            data = bytearray(DATA)
            client.transport.write(data)
            data[:] = bytes(len(data))
            client.transport.write(b"end")
            server.transport.resume_reading()
            assert (await server.receive(filled + len(DATA) + 3))[filled:] == DATA + b"end"

    loops.run(main)


def test_the_loop_sends_a_file(loops, ends, tmp_path):
    if loops.name == "uvloop":
        pytest.skip("uvloop has no sendfile()")
    path = tmp_path / "file"
    path.write_bytes(DATA)

    async def main():
        async with ends.connected() as (client, server):
            with path.open("rb") as file:
                assert await asyncio.get_running_loop().sendfile(client.transport, file) == len(DATA)
            assert await server.receive(len(DATA)) == DATA

    loops.run(main)


def test_many_connections_share_a_loop(loops, ends):
    async def one(address, number):
        client = await ends.connect(Recorder, address)
        data = bytes([number]) * 50_000
        client.transport.write(data)
        assert await client.receive(len(data)) == data
        client.transport.close()
        assert await client.lost() is None

    async def main():
        async with ends.serving(Echo) as address:
            await asyncio.gather(*(one(address, number) for number in range(20)))

    loops.run(main)


def test_data_that_arrived_with_the_handshake_is_delivered(loops, ends):
    """A client's first data may be in the kernel before the server has read the end of its handshake."""

    async def main():
        near, far = socket.socketpair()
        connecting = asyncio.ensure_future(
            native.create_connection(lambda: Echo(), sock=near, ssl=ends.client_context(), server_hostname=HOST)
        )

        class Early(Recorder):
            def connection_made(self, transport):
                super().connection_made(transport)
                transport.write(b"early")

        _, server = await native.connect_accepted_socket(Early, far, ssl=ends.server_context())
        assert await server.receive(5) == b"early"
        _, client = await connecting
        for protocol in (client, server):
            protocol.transport.close()
            assert await protocol.lost() is None

    loops.run(main)
