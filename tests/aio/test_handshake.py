"""The handshake: what it refuses, how long it may take, and that giving up leaves nothing behind."""

from __future__ import annotations

import asyncio
import socket
import ssl as standard
from concurrent.futures import ThreadPoolExecutor

import pytest

import wiretight
from tests.aio.protocols import Echo, Recorder
from tests.kit.certificates import ADDRESS, ELSEWHERE, HOST
from tests.kit.threads import Task
from wiretight import asyncio as native


def test_a_certificate_for_another_host_is_refused(loops, pairings):
    async def main():
        async with pairings.serving(Echo) as address:
            with pytest.raises(standard.SSLCertVerificationError, match="Hostname mismatch"):
                await pairings.connect(Recorder, address, server_hostname=ELSEWHERE)

    loops.run(main)


def test_a_certificate_of_an_unknown_authority_is_refused(loops, ends, certificates):
    async def main():
        context = ends.client_context(ca_file=certificates.other_ca_file)
        async with ends.serving(Echo) as address:
            with pytest.raises(standard.SSLCertVerificationError):
                await ends.connect(Recorder, address, ssl=context)
            client = await ends.connect(Recorder, address)  # the server still serves
            client.transport.close()
            assert await client.lost() is None

    loops.run(main)


@pytest.mark.parametrize(
    "first", [b"220 mail.example ESMTP\r\n", bytes.fromhex("15030300020250")], ids=["text", "alert"]
)
def test_a_peer_that_speaks_first_is_heard(loops, ends, first):
    """A server without TLS, or one that refuses at once: what it says is there before the ClientHello is made."""

    def greet(listener):
        sock, _ = listener.accept()
        sock.sendall(first)
        return sock

    async def main():
        for _ in range(20):
            with socket.create_server((ADDRESS, 0)) as listener:
                greeting = Task(greet, listener)
                with pytest.raises(standard.SSLError):
                    await native.create_connection(
                        Recorder, *listener.getsockname(), ssl=ends.client_context(), server_hostname=HOST
                    )
                greeting.result().close()

    loops.run(main)


def test_the_host_is_the_default_name_to_verify(loops, ends):
    async def main():
        async with ends.serving(Echo) as address:
            _, client = await native.create_connection(Recorder, HOST, address[1], ssl=ends.client_context())
            client.transport.close()
            assert await client.lost() is None
            with socket.socket() as sock, pytest.raises(ValueError, match="server_hostname"):
                await native.create_connection(Recorder, sock=sock, ssl=ends.client_context())

    loops.run(main)


def test_a_failed_handshake_never_creates_the_protocol(loops, ends):
    made = []

    def factory():
        made.append(Recorder())
        return made[-1]

    async def main():
        async with ends.serving(factory) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()
        assert [protocol.told for protocol in made] == [[]]

    loops.run(main)


def test_a_peer_that_speaks_no_tls_is_an_error(loops, ends):
    async def handle(reader, writer):
        writer.write(b"220 ready\r\n")
        await reader.read(1)
        writer.close()

    async def main():
        server = await asyncio.start_server(handle, ADDRESS, 0)
        with pytest.raises(standard.SSLError, match=r"WRONG_VERSION_NUMBER|PACKET_LENGTH"):
            await ends.connect(Recorder, server.sockets[0].getsockname())
        server.close()

    loops.run(main)


def test_a_peer_that_hangs_up_is_a_reset(loops, ends):
    async def main():
        server = await asyncio.start_server(lambda reader, writer: writer.close(), ADDRESS, 0)
        with pytest.raises(ConnectionResetError):
            await ends.connect(Recorder, server.sockets[0].getsockname())
        server.close()

    loops.run(main)


CLOSE_NOTIFY = bytes.fromhex("15030300020100")


@pytest.mark.parametrize("executor", [None, "threads"])
def test_a_server_that_closes_in_the_middle_is_an_end_of_tls(loops, ends, executor):
    """As asyncio's own TLS says it, and nothing is reported: loops.run() fails otherwise."""

    async def handle(reader, writer):
        await reader.read(4096)
        writer.write(CLOSE_NOTIFY)
        await reader.read()
        writer.close()

    async def main():
        server = await asyncio.start_server(handle, ADDRESS, 0)
        context = ends.client_context()
        address = server.sockets[0].getsockname()
        async with server:
            with ThreadPoolExecutor(1) as threads:
                context.handshake_executor = threads if executor else None
                with pytest.raises(standard.SSLZeroReturnError, match="has been closed"):
                    await native.create_connection(Recorder, *address, ssl=context, server_hostname=HOST)

    loops.run(main)


def test_a_client_that_closes_in_the_middle_is_disconnected(loops, ends):
    made = []

    def factory():
        made.append(Recorder())
        return made[-1]

    async def main():
        async with ends.serving(factory) as address:
            client = wiretight.MemoryBIO()
            hello = ends.client_context().wrap_bio(wiretight.MemoryBIO(), client, server_hostname=HOST)
            with pytest.raises(standard.SSLWantReadError):
                hello.do_handshake()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(client.read())
            await reader.read(4096)
            writer.write(CLOSE_NOTIFY)
            assert await reader.read(4096) == b""
            writer.close()
            await writer.wait_closed()
        assert [protocol.told for protocol in made] == [[]]

    loops.run(main)


class Silent(asyncio.Protocol):
    """Accepts, and sends nothing until the client gives up."""

    def connection_made(self, transport):
        self.transport = transport
        self.gone = asyncio.get_running_loop().create_future()

    def eof_received(self):
        return None

    def connection_lost(self, exc):
        self.gone.set_result(exc)


async def silent_server():
    arrived = asyncio.get_running_loop().create_future()

    def factory():
        protocol = Silent()
        arrived.set_result(protocol)
        return protocol

    server = await asyncio.get_running_loop().create_server(factory, ADDRESS, 0)
    return server, arrived


def test_a_silent_peer_times_out(loops, ends):
    async def main():
        server, arrived = await silent_server()
        with pytest.raises(ConnectionAbortedError, match=r"longer than 0\.05 seconds"):
            await ends.connect(Recorder, server.sockets[0].getsockname(), ssl_handshake_timeout=0.05)
        await (await arrived).gone
        server.close()

    loops.run(main)


def test_a_silent_client_is_disconnected_in_time(loops, ends):
    async def main():
        async with ends.serving(Echo, ssl_handshake_timeout=0.05) as address:
            reader, writer = await asyncio.open_connection(*address)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    loops.run(main)


def test_cancelling_a_handshake_closes_the_connection(loops, ends):
    async def main():
        server, arrived = await silent_server()
        connecting = asyncio.ensure_future(ends.connect(Recorder, server.sockets[0].getsockname()))
        silent = await arrived
        while not connecting.cancelled():
            connecting.cancel()
            await asyncio.wait([connecting])
        await silent.gone
        server.close()

    loops.run(main)


def test_a_cancellation_at_any_step_leaves_nothing_open(loops, ends):
    """pytest's configuration makes an unclosed socket or transport an error."""

    async def main():
        async with ends.serving(Echo) as address:
            for steps in range(1, 40):
                connecting = asyncio.ensure_future(ends.connect(Recorder, address))
                for _ in range(steps):
                    await asyncio.sleep(0)
                if not connecting.cancel():
                    break
                await asyncio.wait([connecting])
                if not connecting.cancelled():
                    break
            if connecting.done() and not connecting.cancelled():
                client = await connecting
                client.transport.close()
                assert await client.lost() is None

    loops.run(main)


@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_timeout_must_be_positive(loops, ends, name, value):
    async def main():
        async with ends.serving(Echo) as address:
            with pytest.raises(ValueError, match=f"{name} should be a positive number"):
                await ends.connect(Recorder, address, **{name: value})

    loops.run(main)


def test_a_context_of_the_standard_library_is_refused_with_a_reason(loops, certificates):
    async def main():
        context = certificates.client_context(module=standard)
        for attempt in (
            native.create_connection(Recorder, ADDRESS, 1, ssl=context),
            native.open_connection(ADDRESS, 1, ssl=context),
            native.create_server(Recorder, ADDRESS, 0, ssl=context),
            native.start_tls(None, None, context),
        ):
            with pytest.raises(TypeError, match=r"must be a wiretight\.SSLContext, not ssl\.SSLContext"):
                await attempt

    loops.run(main)


def test_a_context_that_overrides_wrap_bio_has_it_called(loops, ends):
    """A subclass may verify there, as that of truststore does."""
    wrapped = []

    async def main():
        context = ends.client_context()

        class Own(wiretight.SSLContext):
            def wrap_bio(self, *args, **kwargs):
                wrapped.append(kwargs)
                return wiretight.SSLContext.wrap_bio(self, *args, **kwargs)

        context.__class__ = Own
        async with ends.serving(Echo) as address:
            client = await ends.connect(Recorder, address, ssl=context)
            client.transport.write(b"over BIOs")
            assert await client.receive(9) == b"over BIOs"
            client.transport.close()
            assert await client.lost() is None
        assert wrapped

    loops.run(main)
