"""Callbacks that decide later, on the loop: the handshake waits for them, and whatever else happens is noticed."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509

import wiretight
from tests.aio.ends import aborting, works_and_closes
from tests.aio.protocols import Echo, Recorder
from tests.incidents.eventloops import UPGRADES, WAYS
from tests.kit.certificates import HOST
from tests.kit.sockets import tcp_pair
from wiretight import asyncio as native

OTHERS = 100  # handshakes that a decision must not delay


@pytest.fixture(params=[*WAYS, *UPGRADES], ids=str)
def way(request):
    with request.param.in_use() as way:
        yield way


@pytest.fixture(params=["on the loop", "in an executor"])
def contexts(request, ends):
    """Of a client and a server; whose handshakes may be computed in an executor."""
    pair = ends.client_context(), ends.server_context()
    if request.param == "on the loop":
        yield pair
        return
    with ThreadPoolExecutor(2) as executor:
        for context in pair:
            context.handshake_executor = executor
        yield pair


class Decision:
    """A coroutine function for a callback, which decides when it is told to."""

    def __init__(self, answer=None):
        self.answer = answer
        self.begun, self.made = asyncio.Event(), asyncio.Event()
        self.calls = []
        self.was_cancelled = False

    async def __call__(self, *args):
        self.calls.append(args)
        self.begun.set()
        try:
            await self.made.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def credential_of(files):
    return wiretight.Credential.from_pem(files.chain.read_bytes(), files.key.read_bytes())


async def look_around():
    """Lets the loop look at its descriptors."""
    for _ in range(4):
        await asyncio.sleep(0)


def non_blocking_pair():
    near, far = tcp_pair()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


class Begun:
    """A server's handshake that waits for a decision, and a client's task, which waits for the server."""

    @classmethod
    async def reach(cls, way, contexts, decision=None, name="client_hello_callback"):
        begun = cls()
        begun.decision = decision or Decision()
        setattr(contexts[name.startswith("client_cred") is False], name, begun.decision)
        near, far = non_blocking_pair()
        begun.client = asyncio.ensure_future(way.connect(Recorder, near, contexts[0]))
        begun.server = asyncio.ensure_future(way.accept(Recorder, far, contexts[1]))
        await begun.decision.begun.wait()
        return begun

    async def finish(self):
        self.decision.made.set()
        client, server = await asyncio.gather(self.client, self.server)
        async with aborting(client, server):
            await works_and_closes(client, server)
        return client, server


def test_a_handshake_waits_for_its_decision(way, contexts):
    async def main():
        begun = await Begun.reach(way, contexts)
        assert not begun.server.done()
        ((connection, hello),) = begun.decision.calls
        assert hello.server_name == HOST
        _, server = await begun.finish()
        assert server.transport.get_extra_info("ssl_object") is connection
        assert len(begun.decision.calls) == 1

    way.run(main)


def test_what_is_decided_takes_effect(way, contexts, ends, certificates):
    async def main():
        other = ends.server_context(credentials=certificates.server_of_other_ca)
        contexts[0].load_verify_locations(certificates.other_ca_file)
        begun = await Begun.reach(way, contexts, Decision(other))
        _, server = await begun.finish()
        assert server.transport.get_extra_info("sslcontext") is other

    way.run(main)


def test_a_client_chooses_its_credential_later(way, contexts, certificates):
    async def main():
        contexts[1].load_verify_locations(certificates.ca_file)
        contexts[1].verify_mode = wiretight.CERT_REQUIRED
        decision = Decision(credential_of(certificates.client))
        begun = await Begun.reach(way, contexts, decision, "client_credential_callback")
        _, server = await begun.finish()
        assert server.transport.get_extra_info("peercert")["subject"]

    way.run(main)


def test_a_future_is_awaited_too(way, contexts):
    async def main():
        answer = asyncio.get_running_loop().create_future()
        asked = asyncio.Event()
        contexts[1].client_hello_callback = lambda *_: (loop.call_soon_threadsafe(asked.set), answer)[1]
        loop = asyncio.get_running_loop()
        near, far = non_blocking_pair()
        both = [
            asyncio.ensure_future(way.connect(Recorder, near, contexts[0])),
            asyncio.ensure_future(way.accept(Recorder, far, contexts[1])),
        ]
        await asked.wait()
        answer.set_result(None)
        async with aborting(*await asyncio.gather(*both)):
            pass

    way.run(main)


def test_what_a_coroutine_raises_chooses_the_alert(way, contexts):
    async def main():
        refusal = LookupError("nobody has that name")
        refusal.alert = 112
        begun = await Begun.reach(way, contexts, Decision(refusal))
        begun.decision.made.set()
        with pytest.raises(wiretight.SSLError) as caught:
            await begun.server
        assert caught.value.__context__ is refusal
        assert caught.value.alert == 112
        with pytest.raises((wiretight.SSLError, ConnectionError)):
            await begun.client

    way.run(main)


@pytest.mark.parametrize("answer", ["pending", "a coroutine"])
def test_what_was_awaited_is_not_pending_again(way, contexts, answer):
    async def main():
        begun = await Begun.reach(way, contexts, Decision(wiretight.PENDING if answer == "pending" else 0))
        begun.decision.made.set()
        with pytest.raises(wiretight.SSLError) as caught:
            await begun.server
        assert isinstance(caught.value.__context__, TypeError)
        with pytest.raises((wiretight.SSLError, ConnectionError)):
            await begun.client

    way.run(main)


def test_a_transport_is_not_told_to_call_again(way, contexts):
    contexts[1].client_hello_callback = lambda *_: wiretight.PENDING

    async def main():
        near, far = non_blocking_pair()
        results = await asyncio.gather(
            way.connect(Recorder, near, contexts[0]), way.accept(Recorder, far, contexts[1]), return_exceptions=True
        )
        assert "cannot answer PENDING to a transport" in str(results[1].__context__)
        assert isinstance(results[0], OSError)

    way.run(main)


def test_each_of_two_hellos_is_awaited(way, certificates):
    client, server = certificates.client_context(), certificates.server_context()
    client.set_groups("X25519:P-256")
    server.set_groups("P-256")

    async def main():
        begun = await Begun.reach(way, (client, server))
        await begun.finish()
        assert [hello.is_retry for _, hello in begun.decision.calls] == [False, True]

    way.run(main)


# --- What ends it -----------------------------------------------------------------------------------------------------
@pytest.fixture(params=["on the loop", "in an executor"])
def server(request, ends):
    context = ends.server_context()
    if request.param == "on the loop":
        yield context
        return
    with ThreadPoolExecutor(1) as executor:
        context.handshake_executor = executor
        yield context


def client_flight(ends):
    incoming, outgoing = wiretight.MemoryBIO(), wiretight.MemoryBIO()
    client = ends.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(wiretight.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


async def suspended(ends, server, **options):
    """A decision, the plain socket of a client that has sent its ClientHello, and the task of the server."""
    decision = server.client_hello_callback = Decision()
    sock, peer = non_blocking_pair()
    if options.pop("upgraded", False):
        plain, protocol = await asyncio.get_running_loop().create_connection(Recorder, sock=sock)
        making = native.start_tls(plain, protocol, server, server_side=True, **options)
    else:
        making = native.connect_accepted_socket(Recorder, sock, ssl=server, **options)
    task = asyncio.ensure_future(making)
    await asyncio.sleep(0)  # so that nobody else reads what follows
    peer.send(client_flight(ends))
    begun = asyncio.ensure_future(decision.begun.wait())
    await asyncio.wait([begun, task], return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    return decision, peer, task


upgraded = pytest.mark.parametrize("upgraded", [False, True], ids=["socket", "start_tls"])


@upgraded
@pytest.mark.parametrize("how", ["end", "reset"])
def test_a_peer_that_goes_cancels_the_decision(loops, ends, server, upgraded, how):
    async def main():
        decision, peer, task = await suspended(ends, server, upgraded=upgraded)
        if how == "reset":
            peer.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER of no time
        peer.close()
        with pytest.raises(ConnectionError):
            await task
        await asyncio.sleep(0)
        assert decision.was_cancelled

    loops.run(main)


@upgraded
def test_the_timeout_of_the_handshake_cancels_the_decision(loops, ends, server, upgraded):
    async def main():
        for seconds in (0.1, 1, 10):  # a busy machine may not come to the decision in the first
            decision, peer, task = await suspended(ends, server, upgraded=upgraded, ssl_handshake_timeout=seconds)
            with pytest.raises(ConnectionAbortedError, match=f"longer than {seconds} seconds"):
                await task
            await asyncio.sleep(0)
            peer.close()
            if decision.calls:
                break
        assert decision.was_cancelled

    loops.run(main)


@upgraded
def test_what_follows_the_hello_is_read_after_the_decision(loops, ends, server, upgraded):
    async def main():
        decision, peer, task = await suspended(ends, server, upgraded=upgraded)
        peer.send(b"\x15\x03\x03\0\2\2\x28")  # an alert
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
        decision.made.set()
        with pytest.raises((wiretight.SSLError, ConnectionError)):
            await task
        peer.close()

    loops.run(main)


def test_a_cancelled_decision_ends_the_handshake(loops, ends, server):
    async def main():
        decision, peer, task = await suspended(ends, server)
        decision.answer = asyncio.CancelledError()
        decision.made.set()
        with pytest.raises(wiretight.SSLError) as caught:
            await task
        assert isinstance(caught.value.__context__, asyncio.CancelledError)
        peer.close()

    loops.run(main)


def test_who_waits_for_the_handshake_and_is_cancelled_cancels_the_decision(loops, ends, server):
    async def main():
        decision, peer, task = await suspended(ends, server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert decision.was_cancelled
        peer.close()

    loops.run(main)


def test_a_decision_delays_nobody_else(loops, ends, server):
    """Those that begin while it is pending end before it, on the same loop, with the same context."""

    async def main():
        async def decide(connection, hello):
            return await slow() if hello.alpn_protocols == ("slow",) else None

        slow = Decision()
        server.client_hello_callback = decide
        clients = [ends.client_context() for _ in range(2)]
        clients[1].set_alpn_protocols(["slow"])
        served = []

        def serve():
            served.append(Echo())
            return served[-1]

        async def heard(client):
            protocol = await ends.connect(Recorder, address, ssl=client)
            protocol.transport.write(b"hello")
            assert await protocol.receive(5) == b"hello"
            return protocol

        async with ends.serving(serve, ssl=server) as address:
            waiting = asyncio.ensure_future(heard(clients[1]))
            await slow.begun.wait()
            for _ in range(OTHERS // 20):
                async with aborting(*await asyncio.gather(*(heard(clients[0]) for _ in range(20)))):
                    pass
            assert not waiting.done()
            slow.made.set()
            async with aborting(await waiting):
                pass
            for protocol in served:
                await protocol.lost()

    loops.run(main)


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_a_request_amid_the_connection_is_awaited(way, certificates, ending):
    """Post-handshake authentication of TLS 1.3: what the client writes meanwhile waits for the decision."""
    client, server = certificates.client_context(), certificates.server_context()
    client.post_handshake_auth = server.post_handshake_auth = True
    server.load_verify_locations(certificates.ca_file)
    server.verify_mode = wiretight.CERT_REQUIRED

    async def main():
        client.client_credential_callback = decision = Decision(credential_of(certificates.client))
        near, far = non_blocking_pair()
        mine, theirs = await asyncio.gather(way.connect(Recorder, near, client), way.accept(Recorder, far, server))
        async with aborting(mine, theirs):
            theirs.transport.get_extra_info("ssl_object").verify_client_post_handshake()
            theirs.transport.write(b"who are you?")
            await decision.begun.wait()
            mine.transport.write(b"wait")
            if ending == "abort":
                mine.transport.close()
                await mine.lost()
                await asyncio.sleep(0)
                assert decision.was_cancelled
                return
            decision.made.set()
            assert await mine.receive(12) == b"who are you?"
            assert await theirs.receive(4) == b"wait"
            assert theirs.transport.get_extra_info("peercert")["subject"]

    way.run(main)


class Asking:
    """A client's transport, a server that is driven by hand, and what both need for authentication amid them."""

    def __init__(self, way, certificates, decision, names=()):
        self.context, server = certificates.client_context(), certificates.server_context()
        self.context.post_handshake_auth = server.post_handshake_auth = True
        self.context.client_credential_callback = decision
        server.load_verify_locations(certificates.ca_file)
        server.verify_mode = wiretight.CERT_REQUIRED
        server.set_ca_names(names)
        self.way = way
        self.near, self.far = non_blocking_pair()
        self.incoming, self.outgoing = wiretight.MemoryBIO(), wiretight.MemoryBIO()
        self.server = server.wrap_bio(self.incoming, self.outgoing, server_side=True)

    async def connect(self):
        """The client's protocol, after the handshake."""
        client = asyncio.ensure_future(self.way.connect(Recorder, self.near, self.context))
        await self.repeat(self.server.do_handshake)
        await self.send()
        return await client

    async def repeat(self, verb, *args):
        """What a verb of the server returns."""
        while True:
            try:
                return verb(*args)
            except wiretight.SSLWantReadError:
                await self.send()
                self.incoming.write(await asyncio.get_running_loop().sock_recv(self.far, 65536))

    async def send(self):
        await asyncio.get_running_loop().sock_sendall(self.far, self.outgoing.read())

    def ask(self):
        """The bytes of a request."""
        self.server._sslobj.verify_client_post_handshake()
        self.server.do_handshake()
        return self.outgoing.read()


def test_what_a_peer_has_sent_before_its_end_is_read_after_the_decision(way, certificates):
    async def main():
        decision = Decision()
        asking = Asking(way, certificates, decision)
        client = await asking.connect()
        request = asking.ask()
        asking.server.write(b"the last words")
        asking.far.send(request + asking.outgoing.read())
        await decision.begun.wait()
        asking.far.close()
        await look_around()
        assert "lost" not in client.told
        decision.made.set()
        assert await client.receive(14) == b"the last words"
        client.transport.abort()
        await client.lost()

    way.run(main)


def test_what_waits_for_a_decision_is_sent_though_the_protocol_has_paused(way, certificates):
    async def main():
        decision = Decision(credential_of(certificates.client))
        asking = Asking(way, certificates, decision)
        client = await asking.connect()
        async with aborting(client):
            asking.far.send(asking.ask())
            await decision.begun.wait()
            client.transport.pause_reading()
            client.transport.write(b"wait")
            decision.made.set()
            assert await asking.repeat(asking.server.read, 4) == b"wait"
        asking.far.close()

    way.run(main)


def test_a_request_that_a_write_has_met_is_awaited(way, certificates):
    """It is of several records. The last comes while the program writes, which takes it from the kernel."""
    common_names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{i:064}") for i in range(300)]

    async def main():
        decision = Decision(credential_of(certificates.client))
        asking = Asking(way, certificates, decision, [x509.Name([each]).public_bytes() for each in common_names])
        client = await asking.connect()
        async with aborting(client):
            request = asking.ask()
            seen = asking.context.metrics().bytes_in
            asking.far.send(request[:-100])
            while asking.context.metrics().bytes_in <= seen + 16384:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
            asking.far.send(request[-100:])
            client.transport.write(b"who asks?")
            await decision.begun.wait()
            decision.made.set()
            assert await asking.repeat(asking.server.read, 9) == b"who asks?"
            assert asking.server.getpeercert()["subject"]
        asking.far.close()

    way.run(main)
