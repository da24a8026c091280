"""What asyncio's transports do besides moving bytes: descriptors, attributes, and what they still know at the end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct

import pytest

import wiretight
from tests.aio.ends import closes_unused_sockets, over_sockets, works_and_closes
from tests.aio.protocols import Recorder
from tests.install.program import succeeds
from wiretight import asyncio as native
from wiretight._asyncio.descriptors import descriptors_of

AGREED = ("peercert", "cipher", "compression", "ssl_object", "sslcontext")


# --- Descriptors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["number", "socket"])
def test_a_loop_refuses_the_descriptor_of_a_transport(way, ends, form):
    async def main():
        loop = asyncio.get_running_loop()
        async with over_sockets(way, ends) as (client, server):
            sock = client.transport.get_extra_info("socket")
            fd = sock.fileno() if form == "number" else sock
            for call in (
                lambda: loop.add_reader(fd, print),
                lambda: loop.add_writer(fd, print),
                lambda: loop.remove_reader(fd),
                lambda: loop.remove_writer(fd),
            ):
                with pytest.raises(RuntimeError, match="is used by transport"):
                    call()
            server.transport.write(b"still there")
            assert await client.receive(11) == b"still there"

    way.run(main)


@contextlib.contextmanager
def pair_with_number(number):
    """Two sockets, the first with this number, which is free."""
    pair = socket.socketpair()
    with pair[0], pair[1]:
        ours, theirs = sorted(pair, key=lambda sock: sock.fileno() != number)
        assert ours.fileno() == number
        theirs.setblocking(False)
        yield ours, theirs


def test_a_transport_s_socket_is_refused_to_another_transport(way, ends):
    async def main():
        async with over_sockets(way, ends) as (client, server):
            sock = client.transport.get_extra_info("socket")._sock
            for make, context in ((way.connect, ends.client_context()), (way.accept, ends.server_context())):
                with pytest.raises(RuntimeError, match="is used by transport"):
                    await make(Recorder, sock, context)
                if way.installed and await closes_unused_sockets():
                    return
            await works_and_closes(client, server)

    way.run(main)


@pytest.mark.parametrize("event", ["write", "close"])
def test_a_number_is_not_used_once_the_program_has_closed_its_socket(way, ends, event):
    """So do newer versions of asyncio with a socket that they refuse: see closes_unused_sockets()."""

    async def main():
        loop = asyncio.get_running_loop()
        async with over_sockets(way, ends) as (client, server):
            sock = client.transport.get_extra_info("socket")._sock
            number = sock.fileno()
            sock.close()
            with pair_with_number(number) as (ours, theirs):
                if event == "write":
                    client.transport.write(b"not for them")
                    assert (await client.lost()).errno == errno.EBADF
                else:
                    client.transport.close()
                    await client.lost()
                with pytest.raises(BlockingIOError):
                    theirs.recv(1)
                heard = loop.create_future()
                loop.add_reader(ours, lambda: heard.done() or heard.set_result(None))
                theirs.send(b"not TLS")
                await heard
                loop.remove_reader(ours)
            await server.lost()

    way.run(main)


VERBS = {
    "do_handshake": lambda it: it.do_handshake(),
    "read": lambda it: it.read(100),
    "write": lambda it: it.write(b"not for them"),
    "unwrap": lambda it: it.unwrap(),
    "key_update": lambda it: it.key_update(),
    "close_notify": lambda it: it._sslobj.close_notify(),
}


@pytest.mark.parametrize("verb", VERBS)
def test_nor_does_the_ssl_object_of_get_extra_info_use_it(way, ends, verb):
    async def main():
        async with over_sockets(way, ends) as (client, server):
            ssl_object = client.transport.get_extra_info("ssl_object")
            sock = client.transport.get_extra_info("socket")._sock
            number = sock.fileno()
            sock.close()
            with pair_with_number(number) as (ours, theirs):
                theirs.send(b"not TLS")
                if verb == "close_notify":  # tells of no failure
                    VERBS[verb](ssl_object)
                else:
                    with pytest.raises((OSError, ValueError), match=r"Bad file descriptor|needs TLS 1\.3"):
                        VERBS[verb](ssl_object)
                assert ours.recv(100) == b"not TLS"
                with pytest.raises(BlockingIOError):
                    theirs.recv(100)
            client.transport.abort()
            await server.lost()

    way.run(main)


def test_a_descriptor_number_can_be_reused_once_its_transport_is_closed(way, ends):
    async def main():
        loop = asyncio.get_running_loop()
        async with over_sockets(way, ends) as (client, server):
            number = client.transport.get_extra_info("socket").fileno()
            client.transport.abort()
            await client.lost()
            await asyncio.sleep(0)
            with pair_with_number(number) as (_, theirs):
                heard = loop.create_future()
                loop.add_reader(number, lambda: heard.done() or heard.set_result(None))
                theirs.send(b"not TLS")
                await heard
                loop.remove_reader(number)
            await server.lost()

    way.run(main)


@pytest.mark.parametrize("name", ["add_reader", "add_writer"])
def test_a_descriptor_is_not_watched_any_more_when_the_loop_failed_after_watching_it(way, ends, name):
    def halfway(watch):
        def watched(*arguments):
            watch(*arguments)
            raise MemoryError

        return watched

    async def main():
        descriptors = descriptors_of(asyncio.get_running_loop())
        async with over_sockets(way, ends) as (client, server):
            number = client.transport.get_extra_info("socket").fileno()
            server.transport.pause_reading()
            setattr(descriptors, name, halfway(getattr(descriptors, name)))
            if name == "add_reader":
                client.transport.pause_reading()
                client.transport.resume_reading()
            else:
                client.transport.write(bytes(16 * 1024 * 1024))  # more than the kernel takes
            assert type(await client.lost()) is MemoryError
            assert not getattr(descriptors, name.replace("add", "remove"))(number)
            server.transport.resume_reading()

    way.run_whatever_is_reported(main)


# --- What it knows ----------------------------------------------------------------------------------------------------


def resets(client):
    sock = client.transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(sock.fileno())) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.transport.abort()


def breaks(client):
    """Sends something that is not TLS, so that the other side refuses it with an alert."""
    with socket.socket(fileno=os.dup(client.transport.get_extra_info("socket").fileno())) as copy:
        copy.send(b"\x17\x03\x03\x00\x20" + bytes(32))


PEERS_ENDS = [lambda client: client.transport.close(), lambda client: client.transport.abort(), resets, breaks]
OWN_ENDS = [lambda server: server.transport.close(), lambda server: server.transport.abort()]


class Asking(Recorder):
    """Asks who the peer was when the connection is lost, as a program that logs it does."""

    def connection_lost(self, exc):
        self.known = {name: self.transport.get_extra_info(name) for name in AGREED}
        super().connection_lost(exc)


@pytest.mark.parametrize("number", range(len(PEERS_ENDS) + len(OWN_ENDS)))
def test_the_peer_s_identity_is_known_however_the_connection_ends(way, ends, certificates, number):
    async def main():
        contexts = ends.client_context(), ends.server_context(client_ca=certificates.ca_file)
        contexts[0].load_cert_chain(*certificates.client)
        async with over_sockets(way, ends, server=Asking, contexts=contexts) as (client, server):
            client.transport.write(b"data")
            await server.receive(4)
            assert server.transport.get_extra_info("peercert")["subject"]
            if number < len(PEERS_ENDS):
                PEERS_ENDS[number](client)
            else:
                OWN_ENDS[number - len(PEERS_ENDS)](server)
            await server.lost()
            assert server.known["peercert"]["subject"]
            assert server.known["cipher"] is not None
            assert server.known["compression"] is None
            assert isinstance(server.known["ssl_object"], wiretight.SSLObject)
            assert server.known["sslcontext"] is contexts[1]

    way.run(main)


def test_a_transport_accepts_attributes_and_reports_that_it_is_tls(way, ends):
    async def main():
        async with over_sockets(way, ends) as (client, _):
            client.transport.note = "of the program"
            assert client.transport.note == "of the program"
            assert "SSL" in type(client.transport).__name__
            assert client.transport._sslcontext is client.transport.get_extra_info("sslcontext")
            assert type(client.transport) is native.Transport

    way.run(main)


# --- What a program replaces ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "name"),
    [("SSLContext", "wrap_bio"), *(("SSLObject", name) for name in ("do_handshake", "read", "write", "unwrap"))],
)
def test_methods_that_a_program_patches_into_our_classes_are_called(way, ends, monkeypatch, owner, name):
    """A key logger, a tracer, a hook that verifies: asyncio's TLS calls these for each connection."""
    called = []
    before = getattr(getattr(wiretight, owner), name)

    def wrapped(self, *args, **kwargs):
        called.append(name)
        return before(self, *args, **kwargs)

    async def main():
        async with over_sockets(way, ends) as (client, server):
            client.transport.write(b"data")
            assert await server.receive(4) == b"data"
            client.transport.close()
            await client.lost()
            await server.lost()

    monkeypatch.setattr(getattr(wiretight, owner), name, wrapped)
    way.run_reporting(main)
    assert called


def test_patches_of_other_modules_do_not_reach_us(certificates, loops):
    succeeds(
        """
        import asyncio, os, socket, sys
        import wiretight
        from wiretight import asyncio as native
        wiretight.install()
        import ssl

        class Replaced(socket.socket):
            def __init__(self, *args, **kwargs):
                raise AssertionError("this is for the program")

        def not_for_us(*args, **kwargs):
            raise AssertionError("this is for the program")

        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(sys.argv[1], sys.argv[2])
        client_context = ssl.create_default_context(cafile=sys.argv[3])

        async def handle(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        async def main():
            server = await native.start_server(handle, "127.0.0.1", 0, ssl=server_context)
            plain = socket.socket()
            plain.setblocking(False)
            await asyncio.get_running_loop().sock_connect(plain, server.sockets[0].getsockname())
            if sys.argv[4] == "uvloop":
                socket.socket = Replaced
            asyncio.start_tls = asyncio.Future = asyncio.BufferedProtocol = os.dup = not_for_us
            reader, writer = await native.open_connection(sock=plain, ssl=client_context, server_hostname="localhost")
            writer.write(b"line\\n")
            assert await reader.read() == b"line\\n"
            assert type(writer.transport) is native.Transport
            writer.close()
            await writer.wait_closed()
            server.close()

        if sys.argv[4] == "uvloop":
            import uvloop
            loop = uvloop.new_event_loop()
        else:
            loop = asyncio.SelectorEventLoop()
        loop.run_until_complete(main())
        loop.close()
        """,
        *certificates.server,
        certificates.ca_file,
        loops.name,
    )


def test_a_socket_class_patched_during_our_import_is_not_kept(certificates, loops):
    succeeds(
        """
        import asyncio, socket, sys
        import wiretight
        real = socket.socket

        class Guarded(real):  # as pytest-socket has it
            def __new__(cls, *args, **kwargs):
                raise RuntimeError("no sockets here")

        socket.socket = Guarded
        from wiretight import asyncio as native
        if sys.argv[4] == "installed":
            wiretight.install()
        socket.socket = real
        server_context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(sys.argv[1], sys.argv[2])
        client_context = wiretight.create_default_context(cafile=sys.argv[3])

        async def handle(reader, writer):
            writer.write(b"x")
            writer.close()

        async def main():
            server = await native.start_server(handle, "127.0.0.1", 0, ssl=server_context)
            streams = asyncio if sys.argv[4] == "installed" else native
            reader, writer = await streams.open_connection(
                *server.sockets[0].getsockname(), ssl=client_context, server_hostname="localhost")
            assert await reader.read() == b"x"
            assert type(writer.transport) is native.Transport
            writer.close()
            await writer.wait_closed()
            server.close()

        if sys.argv[4] == "uvloop":
            import uvloop
            loop = uvloop.new_event_loop()
        else:
            loop = asyncio.SelectorEventLoop()
        loop.run_until_complete(main())
        loop.close()
        """,
        *certificates.server,
        certificates.ca_file,
        "uvloop" if loops.name == "uvloop" else "installed",
    )
