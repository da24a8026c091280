"""asyncio's own TLS over contexts of the subject and of the standard `ssl`, in both roles."""

import asyncio
import contextlib
import os
import ssl as standard

import pytest

from tests.kit.certificates import ADDRESS, ELSEWHERE, HOST
from tests.kit.servers import LENGTH, Server, echo_messages, message
from tests.kit.threads import PATIENCE

DATA = os.urandom(2 << 20)


def run(main):
    asyncio.run(asyncio.wait_for(main, PATIENCE))


async def echo_messages_of(reader, writer):
    """A handler of asyncio.start_server: sends whole messages back until the stream ends."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            header = await reader.readexactly(LENGTH)
            writer.write(header + await reader.readexactly(int.from_bytes(header, "big")))
            await writer.drain()
    await hang_up(writer)


async def hang_up(writer):
    writer.close()
    await writer.wait_closed()


@contextlib.asynccontextmanager
async def echo_server(context):
    async with await asyncio.start_server(echo_messages_of, ADDRESS, 0, ssl=context) as server:
        yield server.sockets[0].getsockname()


async def exchange(reader, writer, data=DATA):
    writer.write(message(data))
    await writer.drain()
    assert await reader.readexactly(len(message(data))) == message(data)


def test_streams_on_both_sides(peers):
    async def main():
        async with echo_server(peers.server_context()) as address:
            reader, writer = await asyncio.open_connection(*address, ssl=peers.client_context(), server_hostname=HOST)
            await exchange(reader, writer)
            assert writer.get_extra_info("ssl_object").version() == peers.version.name.replace("_", ".")
            assert ("DNS", HOST) in writer.get_extra_info("peercert")["subjectAltName"]
            await hang_up(writer)

    run(main())


def test_many_connections_at_once(peers):
    async def one(address, context):
        reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=HOST)
        await exchange(reader, writer, DATA[:100_000])
        await hang_up(writer)

    async def main():
        context = peers.client_context()
        async with echo_server(peers.server_context()) as address:
            await asyncio.gather(*(one(address, context) for _ in range(20)))

    run(main())


def test_streams_to_a_server_on_sockets(peers):
    async def main():
        reader, writer = await asyncio.open_connection(
            *server.address, ssl=peers.client_context(), server_hostname=HOST
        )
        await exchange(reader, writer)
        await hang_up(writer)

    with Server(peers.server_context(), echo_messages) as server:
        run(main())


def test_a_wrong_host_is_refused(peers):
    async def main():
        async with echo_server(peers.server_context()) as address:
            with pytest.raises(standard.SSLCertVerificationError):
                await asyncio.open_connection(*address, ssl=peers.client_context(), server_hostname=ELSEWHERE)

    run(main())


def test_a_client_certificate(peers, certificates):
    async def main():
        async with echo_server(peers.server_context(client_ca=certificates.ca_file)) as address:
            context = peers.client_context(credentials=certificates.client)
            reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=HOST)
            await exchange(reader, writer, b"hello")
            await hang_up(writer)

    run(main())


def test_alpn(peers):
    async def main():
        async with echo_server(peers.server_context(alpn=["http/1.1"])) as address:
            context = peers.client_context(alpn=["h2", "http/1.1"])
            _, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=HOST)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            await hang_up(writer)

    run(main())


class Upgrading(asyncio.Protocol):
    """Plain lines first, then TLS on the same connection by loop.start_tls()."""

    def __init__(self, context, **options):
        self.context = context
        self.options = options
        self.received = asyncio.Queue()
        self.transport = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received.put_nowait(data)

    def connection_lost(self, error):
        self.closed.set_result(error)

    async def upgrade(self):
        loop = asyncio.get_running_loop()
        self.transport = await loop.start_tls(self.transport, self, self.context, **self.options)


def test_start_tls_on_a_plain_connection(peers):
    async def serve(server):
        assert await server.received.get() == b"STARTTLS\n"
        server.transport.write(b"GO\n")
        await server.upgrade()
        assert await server.received.get() == b"secret\n"
        server.transport.write(b"understood\n")

    async def main():
        loop = asyncio.get_running_loop()
        server = Upgrading(peers.server_context(), server_side=True)
        async with await loop.create_server(lambda: server, ADDRESS, 0) as listener:
            _, client = await loop.create_connection(
                lambda: Upgrading(peers.client_context(), server_hostname=HOST),
                *listener.sockets[0].getsockname(),
            )
            serving = asyncio.create_task(serve(server))
            client.transport.write(b"STARTTLS\n")
            assert await client.received.get() == b"GO\n"
            await client.upgrade()
            client.transport.write(b"secret\n")
            assert await client.received.get() == b"understood\n"
            await serving
            client.transport.close()
            server.transport.close()
            assert await client.closed is None
            assert await server.closed is None

    run(main())
