"""What a protocol raises is reported to the loop's exception handler, in asyncio's words, and ends the connection."""

from __future__ import annotations

import asyncio
import ssl

import pytest

import wiretight
from tests.aio.ends import closes_unused_sockets
from tests.aio.protocols import Buffered, Recorder, fill
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.sockets import tcp_pair
from wiretight import asyncio as native


class Broken(Exception):
    """What the protocols of these tests raise."""


@pytest.mark.parametrize("finder", ["client", "server"])
def test_both_protocols_hear_of_the_alert_that_ended_the_connection(way, ends, finder):
    """The waiter of the handshake has the same exception as connection_lost()."""

    async def main():
        client_context, server_context = ends.client_context(), ends.server_context()
        if finder == "client":
            server_context.load_cert_chain(*ends.certificates.server_of_other_ca)
        else:
            server_context.sni_callback = lambda *_: wiretight.ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL
        near, far = tcp_pair()
        for sock in (near, far):
            sock.setblocking(False)
        errors = await asyncio.gather(
            way.connect(Recorder, near, client_context), way.accept(Recorder, far, server_context),
            return_exceptions=True,
        )  # fmt: skip
        told = [error if isinstance(error, ssl.SSLError) else await error.lost() for error in errors]
        number = 48 if finder == "client" else 120
        assert [(error.alert, error.alert_sent) for error in told] == [
            (number, finder == "client"),
            (number, finder == "server"),
        ]

    way.run(main)


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


def test_an_exception_in_data_received_is_reported(loops, ends):
    async def main():
        async with ends.connected(server=failing("data_received")) as (client, server):
            client.transport.write(b"data")
            assert isinstance(await server.lost(), Broken)

    loops.run_reporting(main)
    told(loops, "data_received", "Fatal error: protocol.data_received() call failed.")


def test_an_exception_in_eof_received_is_reported(loops, ends):
    async def main():
        async with ends.connected(server=failing("eof_received")) as (client, server):
            client.transport.close()
            assert isinstance(await server.lost(), Broken)

    loops.run_reporting(main)
    told(loops, "eof_received", "Fatal error: protocol.eof_received() call failed.")


# asyncio's own loops leave the connection to the garbage collector, and a ResourceWarning.
@pytest.mark.parametrize("loops", ["uvloop"], indirect=True)
def test_a_failing_client_factory_leaves_no_connection_open(loops, ends):
    async def main():
        listener = await asyncio.get_running_loop().create_server(lambda: server, ADDRESS, 0)
        server = Recorder()
        with pytest.raises(Broken):
            await ends.connect(no_protocol, listener.sockets[0].getsockname())
        await server.lost()
        assert server.told == ["made", "lost"] or server.told == ["made", "eof", "lost"]
        listener.close()

    loops.run(main)


@pytest.mark.parametrize("loops", ["uvloop"], indirect=True)
def test_a_failing_server_factory_leaves_no_connection_open(loops, ends):
    async def main():
        async with ends.serving(no_protocol) as address:
            with pytest.raises(ConnectionResetError):
                await ends.connect(Recorder, address)

    loops.run_reporting(main)
    assert [type(report["exception"]) for report in loops.reports] == [Broken]


def test_a_failing_factory_leaves_the_program_s_socket_as_the_loop_leaves_it(loops, ends):
    async def main():
        for make, options in (
            (native.create_connection, {"ssl": ends.client_context(), "server_hostname": HOST}),
            (native.connect_accepted_socket, {"ssl": ends.server_context()}),
        ):
            near, far = tcp_pair()
            with near, far:
                near.setblocking(False)
                with pytest.raises(Broken):
                    await make(no_protocol, sock=near, **options)
                if await closes_unused_sockets():
                    assert near.fileno() < 0
                else:
                    far.sendall(b"still there")
                    assert await asyncio.get_running_loop().sock_recv(near, 20) == b"still there"

    loops.run(main)


def no_protocol():
    raise Broken("protocol_factory")


@pytest.mark.parametrize("method", ["get_buffer", "buffer_updated"])
def test_exceptions_of_a_buffered_protocol_are_reported(loops, ends, method):
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


def test_an_empty_buffer_is_an_error(loops, ends):
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


def test_an_exception_in_connection_made_fails_the_connection(loops, ends):
    async def main():
        async with ends.serving(Recorder) as address:
            with pytest.raises(Broken):
                await ends.connect(failing("connection_made"), address)

    loops.run_reporting(main)
    told(loops, "connection_made", "Fatal error: protocol.connection_made() call failed.")


@pytest.mark.parametrize("method", ["pause_writing", "resume_writing"])
def test_an_exception_in_flow_control_is_reported_and_the_connection_goes_on(loops, ends, method):
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
def test_system_exit_and_keyboard_interrupt_end_the_program(loops, ends, kind):
    class Ending(Recorder):
        def data_received(self, data):
            raise kind

    async def main():
        async with ends.connected(server=Ending) as (client, _):
            client.transport.write(b"data")
            await client.lost()

    with pytest.raises(kind):
        loops.run_reporting(main)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("callback", ["sni_callback", "client_hello_callback", "handshake_callback"])
def test_so_do_they_in_a_callback_of_the_connection(loops, certificates, callback, kind):
    def interrupt(*_):
        raise kind

    client, server = Recorder(), Recorder()
    contexts = certificates.client_context(), certificates.server_context()
    setattr(contexts[1], callback, interrupt)

    async def main():
        near, far = tcp_pair()
        for sock in (near, far):
            sock.setblocking(False)
        await asyncio.gather(
            native.create_connection(lambda: client, sock=near, ssl=contexts[0], server_hostname=HOST),
            native.connect_accepted_socket(lambda: server, far, ssl=contexts[1]),
            return_exceptions=True,
        )

    with pytest.raises(kind):
        loops.run_reporting(main)
    assert not loops.reports
