"""Handshakes in an executor: the loop serves others meanwhile, and whatever ends one in the middle of a step is heard.

Each such end is tried with a step that has not begun, one that has, and one that is in a callback of OpenSSL; `held`
holds it there until the test lets it go.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import threading
import warnings
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import wiretight
from tests.aio.ends import over_sockets, works_and_closes
from tests.aio.executors import STAGES, Held, Inline, Steps
from tests.aio.loops import new_loop
from tests.aio.protocols import Echo, Recorder
from tests.aio.test_start_tls import plain_pair
from tests.incidents.eventloops import UPGRADES, WAYS
from tests.incidents.processes import Child, forks
from tests.kit.certificates import HOST
from tests.kit.sockets import tcp_pair
from tests.kit.threads import PATIENCE
from wiretight import asyncio as native

MAIN = threading.main_thread().name

# Timeouts of a handshake, in seconds: a busy machine may not come to the stage in the first.
IN_TIME = (0.02, 0.2, 2, 20)


@pytest.fixture(params=[*WAYS, *UPGRADES], ids=str)
def way(request):
    with request.param.in_use() as way:
        yield way


@pytest.fixture(params=STAGES)
def held(request):
    return Held(request.param)


def non_blocking_pair():
    near, far = tcp_pair()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


class Begun:
    """A transport in the middle of its handshake, made with the executor `held`; the peer is a plain socket, which has
    sent a ClientHello if the transport is a server's.
    """

    def __init__(self, held, ends, side, **options):
        sock, self.peer = non_blocking_pair()
        self.held = held
        self.protocol = Recorder()
        self.waiter = asyncio.get_running_loop().create_future()
        if side == "server":
            incoming, outgoing = wiretight.MemoryBIO(), wiretight.MemoryBIO()
            client = ends.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
            with pytest.raises(wiretight.SSLWantReadError):
                client.do_handshake()
            self.peer.send(outgoing.read())
            options["server_side"] = True
        else:
            options["server_hostname"] = HOST
        context = held.context(ends.server_context() if side == "server" else ends.client_context())
        self.transport = native.Transport(
            asyncio.get_running_loop(), sock, self.protocol, context, self.waiter, **options
        )

    @classmethod
    async def reach(cls, *args, **options):
        """Returns at the stage, or when the handshake has timed out before: its thread may not have begun."""
        begun = cls(*args, **options)
        reached = asyncio.ensure_future(begun.held.reached.wait())
        await asyncio.wait({reached, begun.waiter}, return_when=asyncio.FIRST_COMPLETED)
        if not reached.done():
            reached.cancel()
            await asyncio.wait({reached})
        return begun

    async def let_go(self):
        await asyncio.to_thread(self.held.let_go)

    async def closes(self):
        """Whether the peer sees the end, after what it has been sent."""
        loop = asyncio.get_running_loop()
        with self.peer, contextlib.suppress(ConnectionResetError):
            while await loop.sock_recv(self.peer, 65536):
                pass
        await released(self.transport)


async def released(transport):
    """Waits until a transport has closed its descriptor; a protocol whose connection was never made is not told."""
    while transport._sock is not None:  # noqa: ASYNC110  nobody is told
        await asyncio.sleep(0)


async def is_left(peer):
    """Whether a peer, as the task of its handshake, hears that the connection is over: with TLS 1.3 maybe after it."""
    try:
        made = await peer
    except OSError:
        return
    await (made if isinstance(made, Recorder) else made[1]).lost()


sides = pytest.mark.parametrize("side", ["client", "server"])


# --- Where the steps run ----------------------------------------------------------------------------------------------


def test_the_steps_run_in_the_threads_of_the_executor_and_nothing_after_them(way, ends):
    seen = set()

    async def main():
        contexts = ends.client_context(), ends.server_context()
        for context in contexts:
            context.handshake_executor = executor
            context.message_callback = lambda *_: seen.add(threading.current_thread().name.partition("_")[0])
            context.keylog_callback = context.message_callback
        async with over_sockets(way, ends, contexts=contexts) as (client, server):
            # A client's message callback is also called for the session tickets, on the loop.
            assert "handshakes" in seen
            seen.clear()
            await works_and_closes(client, server)
        assert seen == {MAIN}

    with ThreadPoolExecutor(2, "handshakes") as executor:
        way.run(main)


def test_callbacks_of_a_handshake_run_in_a_thread_with_the_variables_of_the_loop(way, ends):
    variable = contextvars.ContextVar("variable")
    seen = []

    def see(*_):
        seen.append((threading.current_thread() is threading.main_thread(), variable.get()))

    class Client(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            see()

    async def main():
        variable.set("of the program")
        near, far = non_blocking_pair()
        client_context, steps = ends.client_context(), Steps()
        client_context.handshake_executor = steps
        client_context.verify_callback = see
        client = asyncio.ensure_future(way.connect(Client, near, client_context))
        server = asyncio.ensure_future(way.accept(Recorder, far, ends.server_context()))
        while not client.done():
            step = asyncio.ensure_future(steps.next())
            await asyncio.wait({client, step}, return_when=asyncio.FIRST_COMPLETED)
            if step.done():
                await asyncio.get_running_loop().run_in_executor(None, step.result().run)
            else:
                step.cancel()
        # start_tls() has called connection_made() before.
        order = [True, False] if way.upgrades else [False, True]
        assert seen == [(in_main, "of the program") for in_main in order]
        await works_and_closes(await client, await server)

    way.run(main)


def test_other_connections_are_served_during_a_step(loops, ends, held):
    async def main():
        async with ends.connected(server=Echo) as (client, _):
            begun = await Begun.reach(held, ends, "server")
            client.transport.write(b"served")
            assert await client.receive(6) == b"served"
            assert not begun.waiter.done()
            begun.transport.abort()
            await begun.let_go()
            await begun.closes()
            with pytest.raises(ConnectionAbortedError):
                await begun.waiter

    loops.run(main)


def test_a_peer_that_sends_during_a_step_does_not_keep_the_loop_busy(loops, ends, held, monkeypatch):
    asked = []
    progress = native.Transport._progress
    monkeypatch.setattr(native.Transport, "_progress", lambda self: (asked.append(self), progress(self)))

    async def main():
        begun = await Begun.reach(held, ends, "server")
        count = len(asked)
        begun.peer.send(b"something")
        async with ends.connected(server=Echo) as (other, _):  # the loop polls, more than once
            other.transport.write(b"served")
            assert await other.receive(6) == b"served"
        assert sum(transport is begun.transport for transport in asked) == count
        begun.transport.abort()
        await begun.let_go()
        await begun.closes()
        with pytest.raises(ConnectionAbortedError):
            await begun.waiter

    loops.run(main)


def test_an_executor_may_run_a_step_at_once(way, ends):
    async def main():
        contexts = ends.client_context(), ends.server_context()
        for context in contexts:
            context.handshake_executor = Inline()
        async with over_sockets(way, ends, contexts=contexts) as both:
            await works_and_closes(*both)

    way.run(main)


def test_a_virtual_host_keeps_the_executor_of_the_context_that_it_was_made_with(loops, ends):
    async def main():
        client_context, outer, inner = ends.client_context(), ends.server_context(), ends.server_context()
        refused = ThreadPoolExecutor(1)
        refused.shutdown()
        inner.handshake_executor = refused
        outer.handshake_executor = executor
        chosen = []

        def choose(connection, name, context):
            connection.context = inner
            chosen.append(name)

        outer.sni_callback = choose
        async with ends.serving(Echo, ssl=outer) as address:
            client = await ends.connect(Recorder, address, ssl=client_context)
            client.transport.write(b"hosted")
            assert await client.receive(6) == b"hosted"
            client.transport.close()
            assert await client.lost() is None
        assert chosen == [HOST]

    with ThreadPoolExecutor(1) as executor:
        loops.run(main)


def test_what_a_callback_raises_in_its_thread_ends_the_handshake(way, ends):
    class Refused(Exception):
        pass

    def refuse(*_):
        raise Refused("in the thread")

    async def main():
        near, far = non_blocking_pair()
        client_context = ends.client_context()
        client_context.handshake_executor = executor
        client_context.verify_callback = refuse
        client = asyncio.ensure_future(way.connect(Recorder, near, client_context))
        server = asyncio.ensure_future(way.accept(Recorder, far, ends.server_context()))
        with pytest.raises((Refused, wiretight.SSLError)) as caught:
            await client
        assert Refused in (type(caught.value), type(caught.value.__context__), type(caught.value.__cause__))
        await is_left(server)

    with ThreadPoolExecutor(1) as executor:
        way.run_whatever_is_reported(main)


def test_a_program_may_use_its_transport_during_a_step(loops, ends, held):
    async def main():
        begun = await Begun.reach(held, ends, "client")
        transport = begun.transport
        assert not transport.is_closing()
        assert "shaking hands" in repr(transport)
        assert transport.get_extra_info("peercert") is None
        assert transport.get_extra_info("sslcontext") is not None
        transport.pause_reading()
        transport.resume_reading()
        transport.set_write_buffer_limits(high=100)
        transport.write(b"in a moment")
        assert transport.get_write_buffer_size() == 11
        serving = asyncio.ensure_future(native.connect_accepted_socket(Echo, begun.peer, ssl=ends.server_context()))
        await begun.let_go()
        await begun.waiter
        await serving
        assert await begun.protocol.receive(11) == b"in a moment"
        transport.close()
        assert await begun.protocol.lost() is None

    loops.run(main)


def test_a_write_eof_waits_for_the_end_of_the_handshake_and_not_for_the_step(loops, ends, held):
    async def main():
        begun = await Begun.reach(held, ends, "client")
        begun.transport.write(b"that was all")
        begun.transport.write_eof()  # would wait here for a callback that the test has not let go
        serving = asyncio.ensure_future(
            native.connect_accepted_socket(lambda: Recorder(keep_open=True), begun.peer, ssl=ends.server_context())
        )
        await begun.let_go()
        await begun.waiter
        _, server = await serving
        await server.hear("eof")
        assert server.data == b"that was all"
        server.transport.close()
        assert await begun.protocol.lost() is None

    loops.run(main)


# --- What ends a handshake in the middle of a step --------------------------------------------------------------------


@sides
def test_a_cancelled_handshake_is_over_at_once_and_closed_after_its_step(way, ends, held, side):
    async def main():
        near, far = non_blocking_pair()
        client_context, server_context = ends.client_context(), ends.server_context()
        held.context(client_context if side == "client" else server_context)
        client = asyncio.ensure_future(way.connect(Recorder, near, client_context))
        server = asyncio.ensure_future(way.accept(Recorder, far, server_context))
        task, other = (client, server) if side == "client" else (server, client)
        await held.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(held.let_go)
        await is_left(other)

    way.run(main)


@sides
def test_a_wait_that_times_out_ends_the_handshake_in_the_middle_of_a_step(loops, ends, held, side):
    async def main():
        near, far = non_blocking_pair()
        client_context, server_context = ends.client_context(), ends.server_context()
        held.context(client_context if side == "client" else server_context)
        clients = native.create_connection(Recorder, sock=near, ssl=client_context, server_hostname=HOST)
        servers = native.connect_accepted_socket(Recorder, far, ssl=server_context)
        other = asyncio.ensure_future(servers if side == "client" else clients)
        ours = asyncio.ensure_future(asyncio.wait_for(clients if side == "client" else servers, 0.05))
        with pytest.raises((asyncio.TimeoutError, TimeoutError)):
            await ours
        await asyncio.to_thread(held.let_go)
        await is_left(other)

    loops.run(main)


@sides
def test_the_handshake_timeout_does_not_wait_for_the_step(loops, ends, held, side):
    async def main():
        for seconds in IN_TIME:
            begun = await Begun.reach(Held(held.stage), ends, side, handshake_timeout=seconds)
            in_time = not begun.waiter.done()
            with pytest.raises(ConnectionAbortedError, match=f"longer than {seconds} seconds"):
                await begun.waiter
            assert begun.transport.is_closing()
            await begun.let_go()
            await begun.closes()
            assert begun.protocol.told == []
            if in_time:
                break
        assert in_time

    loops.run(main)


@sides
@pytest.mark.parametrize("end", ["close", "abort"])
def test_the_end_of_a_transport_does_not_wait_for_the_step(loops, ends, held, side, end):
    async def main():
        begun = await Begun.reach(held, ends, side)
        getattr(begun.transport, end)()
        assert begun.transport.is_closing()
        assert begun.transport.get_write_buffer_size() == 0
        with pytest.raises(ConnectionAbortedError, match="was closed during the TLS handshake"):
            await begun.waiter
        begun.transport.write(b"too late")
        begun.transport.close()
        begun.transport.abort()
        await begun.let_go()
        await begun.closes()
        assert begun.protocol.told == []

    loops.run(main)


@sides
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_not_lost_to_the_end_of_its_transport(loops, ends, side, kind):
    class Ending(Held):
        def context(self, context):
            context = super().context(context)
            hold = context.message_callback

            def end(*message):
                hold(*message)
                raise kind

            context.message_callback = end
            return context

    peers = []

    async def main():
        begun = await Begun.reach(Ending("in a callback"), ends, side)
        peers.append(begun.peer)
        begun.transport.abort()
        with pytest.raises(ConnectionAbortedError):
            await begun.waiter
        await begun.let_go()
        await released(begun.transport)

    with pytest.raises(kind):
        loops.run_reporting(main)
    assert not loops.reports
    peers[0].close()


@sides
def test_a_step_that_was_not_begun_is_not_run_after_the_end(loops, ends, side):
    async def main():
        begun = await Begun.reach(Held("queued"), ends, side)
        begun.transport.abort()
        assert begun.held.first.future.cancelled()
        await begun.closes()
        with pytest.raises(ConnectionAbortedError):
            await begun.waiter

    loops.run(main)


@sides
def test_a_peer_that_is_gone_in_the_middle_of_a_step_is_noticed_after_it(loops, ends, held, side):
    async def main():
        begun = await Begun.reach(held, ends, side)
        begun.peer.close()
        await begun.let_go()
        with pytest.raises(ConnectionError):
            await begun.waiter
        await released(begun.transport)

    loops.run(main)


@pytest.mark.parametrize("end", ["abort", "close"])
def test_a_plain_transport_may_end_in_the_middle_of_a_step_of_start_tls(loops, ends, held, end):
    async def main():
        client, server = await plain_pair()
        plain = client.transport
        upgrading = asyncio.ensure_future(
            native.start_tls(plain, client, held.context(ends.client_context()), server_hostname=HOST)
        )
        await held.reached.wait()
        getattr(plain, end)()
        with pytest.raises(ConnectionAbortedError):
            await upgrading
        assert client.told == ["made"]
        await asyncio.to_thread(held.let_go)
        assert await client.lost() is None
        assert await server.lost() is None

    loops.run(main)


def test_ciphertext_that_arrives_after_a_step_and_before_its_end_is_heard_is_not_forgotten(loops, ends):
    async def main():
        steps = Steps()
        client, server = await plain_pair()
        context = ends.client_context()
        context.handshake_executor = steps
        upgrading = asyncio.ensure_future(native.start_tls(client.transport, client, context, server_hostname=HOST))
        (await steps.next()).run()
        incoming, outgoing = wiretight.MemoryBIO(), wiretight.MemoryBIO()
        peer = ends.server_context().wrap_bio(incoming, outgoing, server_side=True)
        await server.receive(5)
        await server.receive(5 + int.from_bytes(server.data[3:5], "big"))  # the record of the ClientHello
        incoming.write(server.data)
        with pytest.raises(wiretight.SSLWantReadError):
            peer.do_handshake()
        flight = outgoing.read()
        server.transport.write(flight[:40])
        step = await steps.next()
        step.run()
        client.transport.get_protocol().data_received(flight[40:])  # as from who has resumed the plain transport
        (await steps.next()).run()
        del server.data[:]
        await server.until(lambda: server.data)
        client.transport.abort()
        with contextlib.suppress(ConnectionAbortedError):
            await upgrading
        await client.lost()

    loops.run(main)


# --- The loop ---------------------------------------------------------------------------------------------------------


def test_a_loop_that_is_stopped_finds_the_step_when_it_runs_again(loops, ends, held):
    loop = new_loop(loops.name)

    async def begin():
        begun = await Begun.reach(held, ends, "client")
        serving = asyncio.ensure_future(native.connect_accepted_socket(Echo, begun.peer, ssl=ends.server_context()))
        return begun, serving

    async def finish(begun, serving):
        await begun.waiter
        await serving
        begun.transport.write(b"again")
        assert await begun.protocol.receive(5) == b"again"
        begun.transport.close()
        assert await begun.protocol.lost() is None
        await asyncio.sleep(0)

    try:
        begun, serving = loop.run_until_complete(begin())
        held.let_go()
        loop.run_until_complete(asyncio.wait_for(finish(begun, serving), PATIENCE))
    finally:
        loop.close()


def test_a_step_that_ends_after_its_loop_was_closed_disturbs_nobody(loops, ends, held, caplog):
    loop = new_loop(loops.name)
    begun = loop.run_until_complete(Begun.reach(held, ends, "client"))
    loop.close()
    with caplog.at_level(logging.DEBUG):
        held.let_go()
    assert not caplog.records
    peer = begun.peer
    with warnings.catch_warnings():  # of the transport and its socket, as of any whose loop is closed
        warnings.simplefilter("ignore", ResourceWarning)
        held.first = None
        del begun
        gc.collect()
    with peer, contextlib.suppress(ConnectionResetError):
        peer.settimeout(PATIENCE)
        while peer.recv(65536):
            pass


# --- fork() -----------------------------------------------------------------------------------------------------------

forking = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")  # what this is about


@forks
@forking
@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_child_that_ends_the_transport_does_not_harm_the_step_of_its_parent(loops, ends, held, end):
    async def main():
        begun = await Begun.reach(held, ends, "client")
        serving = asyncio.ensure_future(native.connect_accepted_socket(Echo, begun.peer, ssl=ends.server_context()))
        child = Child(getattr(begun.transport, end))
        assert await asyncio.to_thread(child.succeeded)
        await begun.let_go()
        await begun.waiter
        await serving
        begun.transport.write(b"unharmed")
        assert await begun.protocol.receive(8) == b"unharmed"
        begun.transport.close()
        assert await begun.protocol.lost() is None

    loops.run(main)


@forks
@forking
def test_a_child_that_goes_on_with_the_loop_has_the_handshake_time_out(ends, held):
    """On asyncio's loop: libuv's does not survive a fork."""
    loop = new_loop("asyncio")

    async def end():
        with pytest.raises(ConnectionAbortedError, match=f"longer than {seconds} seconds"):
            await begun.waiter
        await released(begun.transport)

    for seconds in IN_TIME:
        begun = loop.run_until_complete(Begun.reach(Held(held.stage), ends, "client", handshake_timeout=seconds))
        in_time = not begun.waiter.done()
        assert not in_time or Child(lambda: loop.run_until_complete(asyncio.wait_for(end(), PATIENCE))).succeeded()
        begun.held.let_go()
        loop.run_until_complete(asyncio.wait_for(end(), PATIENCE))
        begun.peer.close()
        if in_time:
            break
    assert in_time
    loop.close()


# --- Executors that do not do it --------------------------------------------------------------------------------------


@sides
def test_an_executor_that_is_shut_down_ends_the_handshake(loops, ends, side):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()

    async def main():
        contexts = {"client": ends.client_context(), "server": ends.server_context()}
        contexts[side].handshake_executor = executor
        near, far = non_blocking_pair()
        tasks = {
            "client": asyncio.ensure_future(
                native.create_connection(Recorder, sock=near, ssl=contexts["client"], server_hostname=HOST)
            ),
            "server": asyncio.ensure_future(native.connect_accepted_socket(Recorder, far, ssl=contexts["server"])),
        }
        with pytest.raises(RuntimeError, match=r"handshake_executor has refused a step of this handshake: .*shutdown"):
            await tasks.pop(side)
        with pytest.raises(ConnectionError):
            await tasks.popitem()[1]

    loops.run_reporting(main)
    assert [type(report["exception"]) for report in loops.reports] == [RuntimeError]


def test_an_executor_that_is_shut_down_between_two_steps_ends_the_handshake(loops, ends):
    executor = ThreadPoolExecutor(1)

    async def main():
        near, far = non_blocking_pair()
        context = ends.client_context()
        context.handshake_executor = executor
        client = asyncio.ensure_future(native.create_connection(Recorder, sock=near, ssl=context, server_hostname=HOST))
        await asyncio.get_running_loop().sock_recv(far, 1)
        executor.shutdown()
        far.send(b"\x15\x03\x03")
        with pytest.raises(RuntimeError, match="has refused a step"):
            await client
        far.close()

    loops.run_reporting(main)


@sides
def test_a_step_that_is_cancelled_by_its_executor_ends_the_handshake(loops, ends, side):
    async def main():
        begun = await Begun.reach(Held("queued"), ends, side)
        begun.held.first.future.cancel()
        with pytest.raises(RuntimeError, match="handshake_executor has cancelled a step of this handshake"):
            await begun.waiter
        await begun.closes()

    loops.run_reporting(main)
    assert [type(report["exception"]) for report in loops.reports] == [RuntimeError]


def test_an_error_of_the_executor_is_the_error_of_the_handshake(loops, ends):
    class Broken:
        def submit(self, *_):
            future = Future()
            future.set_exception(LookupError("no worker"))
            return future

    async def main():
        near, far = non_blocking_pair()
        context = ends.client_context()
        context.handshake_executor = Broken()
        with pytest.raises(LookupError, match="no worker"):
            await native.create_connection(Recorder, sock=near, ssl=context, server_hostname=HOST)
        far.close()

    loops.run_reporting(main)


def test_an_executor_that_returns_no_future_has_refused_the_step(loops, ends):
    class Silent:
        def submit(self, *_):
            pass

    async def main():
        near, far = non_blocking_pair()
        context = ends.client_context()
        context.handshake_executor = Silent()
        with pytest.raises(RuntimeError, match="has refused a step of this handshake: AttributeError"):
            await native.create_connection(Recorder, sock=near, ssl=context, server_hostname=HOST)
        with far:
            assert await asyncio.get_running_loop().sock_recv(far, 1) == b""

    loops.run_reporting(main)


@pytest.mark.parametrize("what", ["refused", "broken off"])
def test_a_loop_that_goes_on_after_an_interruption_has_no_handshake_left_that_nobody_goes_on_with(loops, ends, what):
    """Ctrl-C in the middle of submit(), or of a step that is run at once."""

    class Interrupted(Inline):
        def submit(self, *_):
            if what == "refused":
                raise KeyboardInterrupt
            return super().submit(exec, "raise KeyboardInterrupt")

    tasks, reports = [], []

    async def begin():
        near, far = non_blocking_pair()
        context = ends.server_context()
        context.handshake_executor = Interrupted()
        clients = native.create_connection(Recorder, sock=near, ssl=ends.client_context(), server_hostname=HOST)
        servers = native.connect_accepted_socket(Recorder, far, ssl=context)
        tasks.extend(map(asyncio.ensure_future, (clients, servers)))
        await asyncio.wait(tasks)

    async def end():
        return await asyncio.gather(*tasks, return_exceptions=True)

    loop = new_loop(loops.name)
    loop.set_exception_handler(lambda _, report: reports.append(report["exception"]))
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(begin())
        client, server = loop.run_until_complete(asyncio.wait_for(end(), PATIENCE))
    finally:
        loop.close()
    assert isinstance(client, ConnectionError)
    assert isinstance(server, RuntimeError)
    assert f"the handshake_executor has {what} a step of this handshake: KeyboardInterrupt" in str(server)
    assert reports == [server]


# --- Many at once -----------------------------------------------------------------------------------------------------


def test_many_handshakes_share_an_executor(loops, ends):
    async def main():
        contexts = ends.client_context(), ends.server_context()
        for context in contexts:
            context.handshake_executor = executor
        async with ends.serving(Echo, ssl=contexts[1]) as address:

            async def visit(number):
                client = await ends.connect(Recorder, address, ssl=contexts[0])
                message = b"%d" % number
                client.transport.write(message)
                assert await client.receive(len(message)) == message
                client.transport.close()
                assert await client.lost() is None

            await asyncio.gather(*(visit(number) for number in range(50)))

    with ThreadPoolExecutor(4) as executor:
        loops.run(main)
