"""start_tls(): what a program kept from before still works, and everybody is told of a failed upgrade."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import ssl as standard

import pytest

from tests.aio.ends import aborting, works_and_closes
from tests.aio.protocols import Echo, Recorder
from tests.aio.test_start_tls import plain_pair
from tests.kit.certificates import ADDRESS, ELSEWHERE, HOST
from wiretight import asyncio as native

MEGABYTE = 1 << 20
SIDES = ["client", "server"]


async def upgraded(way, ends, client=Recorder, server=Recorder):
    """Two protocols, with TLS as their `transport`; their `plain` is the one before."""
    near, far = await plain_pair(client, server)
    for side in (near, far):
        side.plain = side.transport
    near.transport, far.transport = await asyncio.gather(
        way.start_tls(near.plain, near, ends.client_context(), server_hostname=HOST),
        way.start_tls(far.plain, far, ends.server_context(), server_side=True),
    )
    return near, far


@contextlib.asynccontextmanager
async def upgrade(way, ends, side, **kinds):
    """As upgraded(), with the side that the test is about first."""
    client, server = await upgraded(way, ends, **kinds)
    async with aborting(client, server):
        yield (client, server) if side == "client" else (server, client)


def shut_writing(transport):
    """Under the transport, which therefore tells the peer nothing."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as copy:
        copy.shutdown(socket.SHUT_WR)


async def settled(count):
    """Waits until `count()` no longer changes."""
    before = None
    while before != count():
        before = count()
        await asyncio.sleep(0.1)


# --- What a program kept ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
def test_a_full_stream_reader_makes_the_peer_wait(way, ends, side):
    async def main():
        async with upgrade(way, ends, side) as (reading, writing):
            reader = asyncio.StreamReader(limit=65536)
            protocol = asyncio.StreamReaderProtocol(reader)
            protocol.connection_made(reading.plain)
            reading.transport.set_protocol(protocol)
            sent = 0

            def send():
                nonlocal sent
                while writing.writable.is_set() and sent < 32 * MEGABYTE:
                    writing.transport.write(bytes(65536))
                    sent += 65536
                return sent

            await settled(send)
            assert len(reader._buffer) <= MEGABYTE
            assert sent < 32 * MEGABYTE
            assert not any(await reader.readexactly(sent))
            reading.transport.set_protocol(reading)

    way.run(main)


@pytest.mark.parametrize("side", SIDES)
def test_the_plain_transport_pauses_and_resumes(way, ends, side):
    async def main():
        async with upgrade(way, ends, side) as (reading, writing):
            reading.plain.pause_reading()
            writing.transport.write(bytes(MEGABYTE))
            await settled(lambda: len(reading.data))
            assert len(reading.data) < MEGABYTE
            assert not reading.plain.is_reading()
            reading.plain.resume_reading()
            assert await reading.receive(MEGABYTE) == bytes(MEGABYTE)

    way.run(main)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("verb", ["close", "abort"])
def test_the_plain_transport_ends_the_connection(way, ends, side, verb):
    async def main():
        async with upgrade(way, ends, side) as (ending, other):
            getattr(ending.plain, verb)()
            assert ending.transport.is_closing()
            ending.transport.write(b"too late")
            assert await ending.lost() is None
            await other.lost()
            assert not other.data

    way.run(main)


@pytest.mark.parametrize("verb", ["close", "abort"])
def test_the_plain_transport_is_closed_with_the_connection(way, ends, verb):
    async def main():
        async with upgrade(way, ends, "client") as (client, server):
            getattr(client.transport, verb)()
            assert await client.lost() is None
            await server.lost()
            assert client.plain.is_closing()
            assert server.plain.is_closing()

    way.run(main)


def test_the_plain_transport_answers_questions_about_the_connection(way, ends):
    async def main():
        async with upgrade(way, ends, "client") as (client, server):
            for name in ("peername", "sockname"):
                assert client.plain.get_extra_info(name) == client.transport.get_extra_info(name)
            assert client.plain.get_extra_info("socket") is client.transport.get_extra_info("socket")
            assert client.transport.get_extra_info("nothing", 7) == 7
            server.plain.pause_reading()
            client.plain.set_write_buffer_limits(high=100_000)
            assert client.transport.get_write_buffer_limits() == (25_000, 100_000)
            while client.writable.is_set():
                client.transport.write(bytes(65536))
            assert client.plain.get_write_buffer_size() > 100_000
            server.plain.resume_reading()
            await client.writable.wait()

    way.run(main)


class Answering(Recorder):
    """Writes after the peer's end of file."""

    def __init__(self):
        super().__init__(keep_open=True)


# --- Output -----------------------------------------------------------------------------------------------------------


def test_close_sends_everything_that_was_written(way, ends):
    async def main():
        async with upgrade(way, ends, "client") as (client, server):
            data = os.urandom(3 * MEGABYTE)
            client.transport.write(data)
            client.transport.close()
            assert await client.lost() is None
            assert await server.lost() is None
            assert server.data == data

    way.run(main)


def test_a_peer_whose_answers_exceed_the_buffers_gets_everything(way, ends):
    async def main():
        async with upgrade(way, ends, "client", server=Echo) as (client, server):
            data = os.urandom(8 * MEGABYTE)
            client.transport.write(data)
            client.transport.close()
            assert await client.lost() is None
            assert server.data == data

    way.run(main)


def test_one_direction_ends_while_the_other_goes_on(way, ends):
    if way.installed:
        pytest.skip("asyncio's own functions end both directions, as asyncio does")

    async def main():
        async with upgrade(way, ends, "client", server=Answering) as (client, server):
            client.transport.write(bytes(MEGABYTE))
            client.transport.write_eof()
            await server.hear("eof")
            assert len(server.data) == MEGABYTE
            server.transport.write(b"answer")
            assert await client.receive(6) == b"answer"
            server.transport.close()
            assert await client.lost() is None

    way.run(main)


def test_a_truncated_stream_is_an_error_except_after_install(way, ends):
    async def main():
        async with upgrade(way, ends, "server") as (server, client):
            client.transport.write(b"half of it")
            await server.receive(1)
            shut_writing(client.plain)
            error = await server.lost()
            assert error is None if way.installed else isinstance(error, standard.SSLEOFError)
            assert ("eof" in server.told) == way.installed

    way.run(main)


# --- A failed upgrade -------------------------------------------------------------------------------------------------


def test_a_client_that_disconnects_is_reported_to_the_server_s_streams(way, ends):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def handle(reader, writer):
            await reader.readline()
            with pytest.raises(OSError):  # noqa: PT011 - a reset, in the loop's words
                await way.start_tls(writer.transport, writer.transport.get_protocol(), context, server_side=True)
            writer.close()
            with contextlib.suppress(OSError):
                await reader.read()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            ended.set_result(None)

        context = ends.server_context()
        server = await asyncio.start_server(handle, ADDRESS, 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        await writer.drain()
        writer.close()
        await ended
        server.close()

    way.run(main)


def test_a_refused_certificate_is_reported_to_both_protocols(way, ends):
    async def main():
        client, server = await plain_pair()
        _, refused = await asyncio.gather(
            way.start_tls(server.transport, server, ends.server_context(), server_side=True),
            way.start_tls(client.transport, client, ends.client_context(), server_hostname=ELSEWHERE),
            return_exceptions=True,
        )
        assert isinstance(refused, standard.SSLCertVerificationError)
        assert await client.lost() is refused
        assert isinstance(await server.lost(), (standard.SSLError, ConnectionError))
        assert client.transport.is_closing()

    way.run(main)


def test_a_silent_peer_times_out_and_the_protocol_is_told(way, ends):
    async def main():
        client, server = await plain_pair()
        with pytest.raises(ConnectionAbortedError) as caught:
            await way.start_tls(
                client.transport, client, ends.client_context(), server_hostname=HOST, ssl_handshake_timeout=0.05
            )
        assert await client.lost() is caught.value
        await server.lost()

    way.run(main)


def test_cancelling_an_upgrade_is_reported_to_the_protocol(way, ends):
    async def main():
        client, server = await plain_pair()
        upgrading = asyncio.ensure_future(
            way.start_tls(client.transport, client, ends.client_context(), server_hostname=HOST)
        )
        await server.receive(1)
        upgrading.cancel()
        await asyncio.wait([upgrading])
        assert await client.lost() is None
        await server.lost()

    way.run(main)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"ssl_handshake_timeout": -1}, ValueError),
        ({"ssl_shutdown_timeout": 0}, ValueError),
        ({"server_hostname": None}, ValueError),
        ({"server_hostname": ".example"}, ValueError),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value.__name__,
)
def test_refused_arguments_leave_the_plain_connection_alone(way, ends, arguments, error):
    async def main():
        client, server = await plain_pair()
        with pytest.raises(error):
            await way.start_tls(
                client.transport, client, ends.client_context(), **{"server_hostname": HOST, **arguments}
            )
        await works_and_closes(client, server)

    way.run(main)


# --- Descriptors ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def descriptors_left(count):
    """Lets this process open only so many more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []
    with contextlib.suppress(OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        while True:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    try:
        for _ in range(count):
            os.close(opened.pop())
        yield
    finally:
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_upgrade_needs_no_other_descriptor(way, ends):
    async def main():
        client, server = await plain_pair()
        contexts = ends.client_context(), ends.server_context()
        with descriptors_left(0):
            client.transport, server.transport = await asyncio.gather(
                way.start_tls(client.transport, client, contexts[0], server_hostname=HOST),
                way.start_tls(server.transport, server, contexts[1], server_side=True),
            )
            await works_and_closes(client, server)

    way.run(main)


def test_a_server_serves_a_connection_on_the_last_free_descriptor(loops, ends):
    async def main():
        made = []

        def factory():
            made.append(Recorder())
            return made[-1]

        context = ends.client_context()
        with socket.socket() as sock:
            async with ends.serving(factory) as address:
                with descriptors_left(1):
                    sock.setblocking(False)
                    await asyncio.get_running_loop().sock_connect(sock, address)
                    _, client = await native.create_connection(Recorder, sock=sock, ssl=context, server_hostname=HOST)
                    await works_and_closes(client, made[0])

    loops.run_reporting(main)  # asyncio's loop reports that it cannot accept another connection
