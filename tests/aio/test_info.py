"""What a transport tells about itself, and that it is freed once it is closed."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref

import pytest

import wiretight
from tests.aio.ends import over_sockets
from tests.aio.protocols import Recorder
from tests.kit.certificates import HOST
from wiretight import asyncio as native


def test_get_extra_info_has_everything_that_asyncio_s_has(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            info = client.transport.get_extra_info
            assert info("peername") == server.transport.get_extra_info("sockname")
            assert info("sockname") == server.transport.get_extra_info("peername")
            assert info("socket").fileno() >= 0
            assert info("socket") is info("socket")
            assert isinstance(info("sslcontext"), wiretight.SSLContext)
            ssl_object = info("ssl_object")
            assert isinstance(ssl_object, wiretight.SSLObject)
            assert ssl_object.version() == ends.version.name.replace("_", ".")
            assert info("cipher") == ssl_object.cipher()
            assert info("compression", "none") is None
            assert ("DNS", HOST) in info("peercert")["subjectAltName"]
            assert info("nothing", 7) == 7
            client.transport.close()
            await client.lost()
            assert info("peername") is not None
            assert info("cipher") is not None

    loops.run(main)


def test_both_ends_export_the_same_keys_and_bindings(way, ends):
    async def main():
        contexts = (ends.client_context(), ends.server_context())
        contexts[0].options |= wiretight.OP_NO_RENEGOTIATION
        async with over_sockets(way, ends, contexts=contexts) as protocols:
            near, far = (protocol.transport.get_extra_info("ssl_object") for protocol in protocols)
            label = "EXPERIMENTAL wiretight tests"
            assert near.export_keying_material(label, 32, b"x") == far.export_keying_material(label, 32, b"x")
            for kind in wiretight.CHANNEL_BINDING_TYPES:
                assert near.get_channel_binding(kind) == far.get_channel_binding(kind) is not None
            with pytest.raises(ValueError, match="1 to 8160 bytes"):
                near.export_keying_material(label, 0)
            with pytest.raises(ValueError, match="no early data"):
                far.export_keying_material(label, 32, early=True)

    way.run(main)


def test_both_ends_tell_of_the_same_agreement_and_count(way, ends):
    async def main():
        async with over_sockets(way, ends) as (client, server):
            near, far = (protocol.transport.get_extra_info("ssl_object") for protocol in (client, server))
            before = near.connection_info()
            assert before.version == far.connection_info().version == near.version()
            assert before.cipher == far.connection_info().cipher == near.cipher()[0]
            assert before.group == far.connection_info().group is not None
            assert (before.server_side, far.connection_info().server_side) == (False, True)
            client.transport.write(bytes(20_000))
            await server.receive(20_000)
            after = near.connection_info()
            assert after.records_out == before.records_out + 2
            assert 20_000 < after.bytes_out - before.bytes_out < 21_000

    way.run(main)


def test_both_ends_are_told_of_the_same_secrets_and_of_messages(way, ends):
    async def main():
        contexts = (ends.client_context(), ends.server_context())
        lines, messages = ([], []), ([], [])
        for context, own_lines, own_messages in zip(contexts, lines, messages, strict=True):
            context.keylog_callback = lambda connection, line, own=own_lines: own.append((connection, line))
            context.message_callback = lambda connection, *_, own=own_messages: own.append(connection)
        async with over_sockets(way, ends, contexts=contexts) as protocols:
            for protocol, own_lines, own_messages in zip(protocols, lines, messages, strict=True):
                ssl_object = protocol.transport.get_extra_info("ssl_object")
                assert {id(connection) for connection, _ in own_lines} == {id(ssl_object)}
                assert {id(connection) for connection in own_messages} == {id(ssl_object)}
        assert {line for _, line in lines[0]} == {line for _, line in lines[1]}

    way.run(main)


def test_it_passes_for_an_asyncio_transport(loops, ends):
    async def main():
        async with ends.connected() as (client, _):
            assert isinstance(client.transport, asyncio.Transport)
            assert type(client.transport) is native.Transport
            assert client.transport.get_protocol() is client
            assert "open" in repr(client.transport)

    loops.run(main)


def test_another_protocol_can_take_over(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            second = Recorder()
            server.transport.set_protocol(second)
            client.transport.write(b"for the second")
            assert await second.receive(14) == b"for the second"
            client.transport.close()
            assert await second.lost() is None
            assert server.told == ["made"]

    loops.run(main)


def test_a_closed_connection_is_freed_without_the_collector(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            gone = [weakref.ref(protocol.transport) for protocol in (client, server)]
            client.transport.write(b"data")
            await server.receive(4)
            gc.collect()
            gc.disable()
            try:
                client.transport.close()
                await client.lost()
                await server.lost()
                client.transport = server.transport = None
                for _ in range(5):
                    await asyncio.sleep(0)
                assert [reference() for reference in gone] == [None, None]
            finally:
                gc.enable()

    loops.run(main)


def test_an_unclosed_transport_warns(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            client.transport.pause_reading()
            await asyncio.sleep(0)  # until then, the loop has references to it
            with pytest.warns(ResourceWarning, match="unclosed transport") as caught:
                client.transport = None
            assert caught[0].filename == __file__
            await server.lost()

    loops.run(main)


def test_transports_disable_nagle_s_algorithm(loops, ends):
    async def main():
        async with ends.connected() as (client, server):
            for end in (client, server):
                sock = end.transport.get_extra_info("socket")
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    loops.run(main)
