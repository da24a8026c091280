"""TLS in TLS: a connection inside another one is a connection like any other, and the other one lives on after it.

Most of what is true of every connection is tried on these in the files whose fixtures ask for a `transport`.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import random
import select
import socket
import ssl as standard
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.foreigner import Foreigner
from tests.core.peer import Peer, asleep, readable, until
from tests.core.test_threads import ENDS, Reader, Writer, how_it_ended, shut_down_writing, stream
from tests.incidents.forger import Forger, Forger12
from tests.incidents.processes import Child, forks
from tests.kit.certificates import HOST, Certificates
from tests.kit.deliveries import Relay
from tests.kit.pair import WANT, attempt
from tests.kit.records import records
from tests.kit.sockets import (
    BLOCKING,
    WITH_TIMEOUT,
    driven,
    handshake,
    receive_exactly,
    send_all,
    tcp_pair,
    tls_sockets,
    tls_transport,
    unix_pair,
)
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

many = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

BROKEN = b"\x17\x03\x03\x00\x20" + bytes(32)  # a record that nobody has encrypted

waiting = pytest.mark.parametrize("mode", [BLOCKING, WITH_TIMEOUT], ids=lambda mode: mode.name)


class Contexts(NamedTuple):
    """Of the connection that carries the other one."""

    client: Any
    server: Any

    def transport(self, plain: Callable[[], tuple[socket.socket, socket.socket]] = tcp_pair) -> Callable[[], Any]:
        return tls_transport(self.client, self.server, plain)


class Kept:
    """A transport, and the two ends that it made last."""

    def __init__(self, transport: Callable[[], Any]) -> None:
        self.transport = transport
        self.ends: tuple[Any, Any] = (None, None)

    def __call__(self) -> Any:
        self.ends = self.transport()
        return self.ends


@pytest.fixture(params=[standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3], ids=["in-tls12", "in-tls13"])
def carrier(request: pytest.FixtureRequest, certificates: Certificates) -> Contexts:
    """Each version in each version: the tests run four times."""
    return Contexts(certificates.client_context(request.param), certificates.server_context(request.param))


def small(plain: Callable[[], tuple[socket.socket, socket.socket]] = unix_pair) -> tuple[socket.socket, socket.socket]:
    near, far = plain()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
    return near, far


# --- As any connection ------------------------------------------------------------------------------------------------


def test_bytes_are_encrypted_twice(client_context, server_context, carrier):
    """Whoever ends the connection that carries the other one sees only that one's records."""
    with Peer(carrier.client, carrier.server, handshake=False) as proxy:
        until_shaken_hands(proxy)
        inside = client_context.wrap_socket(proxy.sock, server_hostname=HOST, do_handshake_on_connect=False)
        with inside:
            assert attempt(inside.do_handshake) is WANT
            proxy.drain()
            (hello,) = records(proxy.decrypted())
            assert hello.raw[0] == 22
            assert b"localhost" in hello.raw


def until_shaken_hands(peer: Peer) -> None:
    unfinished = [peer.sock, peer.tls]
    while unfinished:
        unfinished = [side for side in unfinished if attempt(side.do_handshake) is WANT]
        peer.deliver(peer.outgoing.read())
        peer.drain()


def test_both_ends_in_every_mode(client_context, server_context, carrier, mode):
    data = os.urandom(1 << 20)
    with tls_sockets(client_context, server_context, mode=mode, transport=carrier.transport()) as (client, server):
        for near, far in ((client, server), (server, client)):
            sending = Task(send_all, near, data)
            assert receive_exactly(far, len(data)) == data
            sending.result()


def test_whatever_the_pieces_that_bytes_come_in(client_context, server_context, carrier, delivery):
    data = os.urandom(1000)
    with Relay(delivery) as relay:
        transport = carrier.transport(lambda: (relay.client, relay.server))
        with tls_sockets(client_context, server_context, transport=transport) as (client, server):
            for near, far in ((client, server), (server, client)):
                sending = Task(send_all, near, data)
                assert receive_exactly(far, len(data)) == data
                sending.result()
            unwrapping = Task(server.unwrap)
            with client.unwrap() as outside, unwrapping.result() as far:
                outside.sendall(b"still TLS")
                assert receive_exactly(far, 9) == b"still TLS"


@many
@given(sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=4), pieces=st.lists(st.integers(1, 700), min_size=1))
def test_records_of_both_layers_end_anywhere(certificates, client_context, server_context, version, sizes, pieces):
    """A record of one connection may be part of a record of the other, or many of them."""
    contexts = Contexts(certificates.client_context(), certificates.server_context())
    with Peer(client_context, server_context, transport=contexts.transport()) as peer:
        data = os.urandom(sum(sizes))
        raw, at = b"", 0
        for size in sizes:
            raw += peer.encrypt(data[at : at + size])
            at += size
        received, turn = b"", 0
        while raw:
            size = pieces[turn % len(pieces)]
            peer.deliver(raw[:size])
            raw, turn = raw[size:], turn + 1
            while (part := attempt(peer.sock.recv, 5000)) is not WANT:
                received += part
            assert not readable(peer.sock)
        assert received == data


@waiting
def test_two_threads_at_each_end(client_context, server_context, carrier, mode):
    with tls_sockets(client_context, server_context, mode=mode, transport=carrier.transport()) as (client, server):
        moved = [threading.Event(), threading.Event()]
        readers = [Reader(server, 1, moved[0], 2_000_000), Reader(client, 2, moved[1], 2_000_000)]
        writers = [Writer(client, 3), Writer(server, 4)]
        reading, writing = [Task(reader.run) for reader in readers], [Task(writer.run) for writer in writers]
        for event in moved:
            assert event.wait(PATIENCE)
        for writer in writers:
            writer.stop.set()
        sent = [task.result() for task in writing]
        for sock in (client, server):
            sock.shutdown(socket.SHUT_WR)
        assert [task.result() for task in reading] == sent


@waiting
def test_a_blocked_recv_does_not_delay_a_long_send(client_context, server_context, carrier, mode):
    with tls_sockets(client_context, server_context, mode=mode, transport=carrier.transport()) as (client, server):
        receiving = Task(client.recv, 100)
        arriving = Task(Reader(server, 5).run)
        client.sendall(stream(0, 8_000_000))
        assert receiving.running
        server.sendall(b"now")
        assert receiving.result() == b"now"
        client.shutdown(socket.SHUT_WR)
        assert arriving.result() == 8_000_000


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_connection_that_ends_during_calls_raises_documented_errors(client_context, server_context, carrier, end):
    for seed in range(5):
        chance = random.Random(seed)
        with tls_sockets(client_context, server_context, transport=carrier.transport()) as (client, server):
            moved = threading.Event()
            enough = chance.choice([0, 1, 100_000])
            readers = [Reader(server, seed, moved, enough), Reader(client, seed + 100)]
            writers = [Writer(client, seed + 200), Writer(server, seed + 300)]
            tasks = [Task(worker.run) for worker in (*readers, *writers)]
            if enough:
                assert moved.wait(PATIENCE)
            end(client, server)
            if end is shut_down_writing:
                writers[1].stop.set()
                how_it_ended(tasks[3])
                server.shutdown(socket.SHUT_WR)
            for task in tasks:
                how_it_ended(task)


def test_a_file_of_makefile_and_sendfile(client_context, server_context, carrier, tmp_path):
    (tmp_path / "file").write_bytes(stream(0, 300_000))
    with tls_sockets(client_context, server_context, transport=carrier.transport()) as (client, server):
        with client.makefile("rwb") as file, (tmp_path / "file").open("rb") as source:
            file.write(b"a line\n")
            file.flush()
            with server.makefile("rb") as other:
                assert other.readline() == b"a line\n"
                sending = Task(client.sendfile, source)
                assert other.read(300_000) == stream(0, 300_000)
                assert sending.result() == 300_000


def test_a_recv_times_out_although_parts_of_a_record_keep_coming(client_context, server_context, carrier, deadline):
    with Peer(client_context, server_context, transport=carrier.transport()) as peer:
        raw = peer.encrypt(bytes(16384))
        peer.sock.settimeout(0.2)
        over = threading.Event()

        def trickle() -> None:
            at = 0
            while not over.wait(0.02) and at < len(raw) - 1:
                peer.plain.send(raw[at : at + 1])
                at += 1

        trickling = Task(trickle)
        try:
            with deadline():
                peer.sock.recv(100)
        finally:
            over.set()
            trickling.result()


def test_three_layers(certificates, client_context, server_context, carrier, delivery):
    data = os.urandom(2_000)
    with Relay(delivery) as relay:
        middle = tls_transport(certificates.client_context(), certificates.server_context(), carrier.transport(
            lambda: (relay.client, relay.server)
        ))  # fmt: skip
        with tls_sockets(client_context, server_context, transport=middle) as (client, server):
            for near, far in ((client, server), (server, client)):
                sending = Task(send_all, near, data)
                assert receive_exactly(far, len(data)) == data
                sending.result()
            for _ in range(2):
                unwrapping = Task(server.unwrap)
                client, server = client.unwrap(), unwrapping.result()
            with client, server:
                client.sendall(b"one layer")
                assert receive_exactly(server, 9) == b"one layer"
                assert client.version() is not None


def test_select_sees_what_three_layers_have_not_read(certificates, client_context, server_context, carrier):
    middle = tls_transport(certificates.client_context(), certificates.server_context(), carrier.transport())
    with Peer(client_context, server_context, transport=middle) as peer:
        peer.deliver(peer.encrypt(b"first") + peer.encrypt(b"second") + peer.close_notify())
        assert peer.sock.recv(100) == b"first"
        assert peer.sock.pending() == 0
        assert readable(peer.sock)
        assert peer.sock.recv(100) == b"second"
        assert readable(peer.sock)
        assert peer.sock.recv(100) == b""


# --- What it came from ------------------------------------------------------------------------------------------------


@many
@given(after=st.binary(min_size=1, max_size=3000), room=st.sampled_from([1, 5, 6, 100, 65536]), apart=st.booleans())
def test_what_follows_close_notify_is_the_carriers(certificates, client_context, server_context, after, room, apart):
    """However much of it came in the same record."""
    contexts = Contexts(certificates.client_context(), certificates.server_context())
    with Peer(client_context, server_context, transport=contexts.transport()) as peer:
        end = peer.encrypt(b"hello") + peer.close_notify()
        if apart:
            peer.deliver(end)
            peer.plain.sendall(after)
        else:
            peer.deliver(end + after)
        received = b""
        while len(received) < 5:
            received += peer.sock.recv(room)
        assert received == b"hello"
        with driven(peer.sock, peer.sock.unwrap) as outside:
            assert receive_exactly(outside, len(after)) == after
            assert not readable(outside)
            outside.sendall(b"answer")
            received = b""
            while not received.endswith(b"answer"):
                received += driven(peer.plain, peer.plain.recv, 100)


def test_it_comes_back_as_it_was(client_context, server_context, carrier, mode):
    kept = Kept(carrier.transport())
    with tls_sockets(client_context, server_context, mode=mode, transport=kept) as (client, server):
        outside = kept.ends[0]
        facts = [outside.version(), outside.cipher(), outside.getpeercert(), outside.session, outside.context]
        number, address = client.fileno(), client.getpeername()
        unwrapping = Task(driven, server, server.unwrap)
        back = driven(client, client.unwrap)
        unwrapping.result().close()
        assert back is outside
        assert (back.fileno(), back.getpeername(), back.gettimeout()) == (number, address, mode.timeout)
        assert [back.version(), back.cipher(), back.getpeercert(), back.session, back.context] == facts
        assert client.fileno() == -1
        with pytest.raises(OSError, match="Bad file descriptor") as refused:
            client.recv(1)
        assert refused.value.errno == errno.EBADF
        back.close()


def test_the_connection_that_carries_answers_questions_and_moves_nothing(client_context, server_context, carrier):
    outside, far = carrier.transport()()
    with outside, far:
        inside = client_context.wrap_socket(outside, server_hostname=HOST, do_handshake_on_connect=False)
        with inside, server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server:
            handshake(inside, server)
            assert outside.version() == carrier.client.maximum_version.name.replace("_", ".")
            assert ("DNS", "localhost") in outside.getpeercert()["subjectAltName"]
            assert outside.pending() == 0
            assert outside.fileno() == -1
            for verb in (
                lambda: outside.recv(1),
                lambda: outside.recv_into(bytearray(1)),
                lambda: outside.send(b"x"),
                lambda: outside.sendall(b"x"),
                outside.do_handshake,
                outside.unwrap,
            ):
                with pytest.raises(OSError, match=r"carries another one inside it.*unwrap") as refused:
                    verb()
                assert refused.value.errno == errno.EBADF
            for end in (lambda: outside.shutdown(socket.SHUT_WR), lambda: outside.detach(), outside.close):
                with contextlib.suppress(OSError):
                    end()
                inside.sendall(b"untouched")
                assert server.recv(100) == b"untouched"
            # Closed as it was, it comes back.
            unwrapping = Task(server.unwrap)
            with inside.unwrap() as back, unwrapping.result() as other:
                assert back is outside
                back.sendall(b"again")
                assert other.recv(100) == b"again"


@pytest.mark.parametrize(
    "read",
    [
        lambda sock: sock.recv(1),
        lambda sock: sock.recv_into(bytearray(1)),
        lambda sock: sock.read(1),
        lambda sock: sock.peek(1),
    ],
    ids=["recv", "recv_into", "read", "peek"],
)
def test_a_read_of_the_connection_that_carries_does_not_wait(client_context, server_context, carrier, read):
    """Also after a recv() inside that has left nothing in the kernel."""
    kept = Kept(carrier.transport())
    with tls_sockets(client_context, server_context, transport=kept) as (client, server):
        for _ in range(2):
            server.sendall(b"x")
            assert client.recv(1) == b"x"
        with pytest.raises(OSError, match="carries another one inside it"):
            Task(read, kept.ends[0]).result()


def test_a_refused_shutdown_of_a_layer_ends_none(certificates, client_context, server_context, carrier):
    kept = Kept(tls_transport(certificates.client_context(), certificates.server_context(), carrier.transport()))
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT, transport=kept) as (client, server):
        for how in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            with pytest.raises(OSError, match="Bad file descriptor"):
                kept.ends[0].shutdown(how)
            kept.ends[0]._sslobj.close_notify(outwards=True)
        client.sendall(b"untouched")
        assert receive_exactly(server, 9) == b"untouched"


@pytest.mark.parametrize("how", [None, socket.SHUT_WR, socket.SHUT_RDWR], ids=["none", "writing", "both"])
def test_a_refused_shutdown_leaves_what_a_read_means(client_context, server_context, carrier, how):
    kept = Kept(carrier.transport())
    with tls_sockets(client_context, server_context, transport=kept) as (client, server):
        if how is not None:
            with pytest.raises(OSError, match="Bad file descriptor"):
                kept.ends[0].shutdown(how)
        unwrapping = Task(server.unwrap)
        with client.unwrap() as back, unwrapping.result() as far:
            back.settimeout(0)
            assert attempt(back.unwrap) is WANT
            unwrapping = Task(far.unwrap)
            with pytest.raises(standard.SSLZeroReturnError):
                driven(back, back.recv, 100)
            unwrapping.result()


@waiting
def test_a_connection_in_the_middle_of_a_send_carries_none(client_context, server_context, carrier, mode):
    data = stream(0, 4 << 20)
    outside, far = carrier.transport(small)()
    with outside, far:
        outside.settimeout(mode.timeout)
        far.settimeout(PATIENCE)
        sending = Task(outside.sendall, data)
        until(lambda: asleep(sending.thread), "it waits")
        with pytest.raises(ValueError, match="has a send to complete"):
            client_context.wrap_socket(outside, server_hostname=HOST, do_handshake_on_connect=False)
        assert receive_exactly(far, len(data)) == data
        sending.result()
        with client_context.wrap_socket(outside, server_hostname=HOST, do_handshake_on_connect=False) as inside:
            with server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server:
                handshake(inside, server)
                inside.sendall(b"hello")
                assert receive_exactly(server, 5) == b"hello"


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
def test_a_recv_that_waits_outside_takes_nothing_from_the_inside(client_context, server_context, carrier, timeout):
    outside, far = carrier.transport()()
    with outside, far:
        outside.settimeout(timeout)
        stray = Task(outside.recv, 100)
        until(lambda: asleep(stray.thread), "it waits")
        inside = client_context.wrap_socket(outside, server_hostname=HOST, do_handshake_on_connect=False)
        with inside, server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server:
            handshaking = Task(server.do_handshake)
            inside.do_handshake()
            handshaking.result()
            server.sendall(b"hello")
            assert receive_exactly(inside, 5) == b"hello"
        # It sleeps to the end if all that came was taken before it could look.
        with pytest.raises(OSError, match=r"carries another one inside it|Bad file descriptor"):
            stray.result()


def test_a_close_ends_every_call_and_frees_the_number(client_context, server_context, carrier, tmp_path):
    for seconds in (None, PATIENCE):
        with tls_sockets(client_context, server_context, transport=carrier.transport(small)) as (client, _):
            client.settimeout(seconds)
            calls = [Task(client.recv, 100), Task(client.sendall, bytes(4 << 20))]
            for call in calls:
                until(lambda call=call: asleep(call.thread), "it waits")
            number = client.fileno()
            client.close()
            foreigner = Foreigner(tmp_path, number)
            for call in calls:
                with pytest.raises(OSError, match="Bad file descriptor") as ended:
                    call.result()
                assert ended.value.errno == errno.EBADF
            assert foreigner.foreign_bytes() == b""
            foreigner.close()


def test_unwrap_in_another_thread_ends_a_recv(client_context, server_context, carrier):
    """As detach() does: who waits inside takes nothing from the connection outside."""
    with tls_sockets(client_context, server_context, transport=carrier.transport()) as (client, server):
        receiving = Task(client.recv, 100)
        until(lambda: asleep(receiving.thread), "it waits")
        client.settimeout(0)
        assert attempt(client.unwrap) is WANT
        unwrapping = Task(server.unwrap)
        with contextlib.ExitStack() as stack:

            def has_unwrapped() -> bool:
                """Without select(), which reports the end of a stream once: that may wake the other thread alone."""
                outcome = None
                with contextlib.suppress(standard.SSLWantReadError):
                    outcome = stack.enter_context(client.unwrap())
                return outcome is not None

            until(has_unwrapped, "both ends have said so")
            other = stack.enter_context(unwrapping.result())
            other.sendall(b"outside")
            assert how_it_ended(receiving) in ("end of stream", "OSError", "SSLZeroReturnError")


def test_dropping_the_last_reference_closes_the_connection(client_context, server_context, carrier):
    outside, far = carrier.transport()()
    with far:
        inside = client_context.wrap_socket(outside, server_hostname=HOST, do_handshake_on_connect=False)
        number = inside.fileno()
        alive = weakref.ref(outside)
        del outside
        gc.collect()
        assert alive() is not None, "unwrap() returns it"
        holder = [inside]
        del inside
        with pytest.warns(ResourceWarning, match="unclosed"):
            holder.clear()
        gc.collect()
        assert alive() is None
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)


@forks
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_child_may_use_what_no_thread_was_using(client_context, server_context, carrier):
    with tls_sockets(client_context, server_context, transport=carrier.transport()) as (client, server):

        def work() -> None:
            client.sendall(b"from the child")
            assert client.recv(100) == b"to the child"

        child = Child(work)
        assert server.recv(100) == b"from the child"
        server.sendall(b"to the child")
        assert child.succeeded()


# --- How it fails -----------------------------------------------------------------------------------------------------


class Proxied(NamedTuple):
    """A client inside a connection whose bytes the test makes."""

    peer: Peer  # `sock` is the client; what is delivered is the data of the connection that carries it
    far: Any  # the other end of that one: an SSLSocket
    outside: Any  # and its near end

    def deliver_raw(self, raw: bytes) -> None:
        socket.socket.sendall(self.far, raw)

    def sequence(self, since: int) -> int:
        return int(self.far._sslobj.counters()["records_out"]) - since


@pytest.fixture
def proxied(client_context: Any, server_context: Any, carrier: Contexts) -> Iterator[Proxied]:
    outside, far = carrier.transport()()
    with far, outside, Peer(client_context, server_context, transport=lambda: (outside, far)) as peer:
        yield Proxied(peer, far, outside)


def test_the_end_of_the_carrier_is_no_end_of_the_data(client_context, server_context, carrier):
    """A proxy that closes properly has still cut what it carries."""
    transport = carrier.transport()
    with Peer(client_context, server_context, transport=transport, suppress_ragged_eofs=False) as peer:
        peer.deliver(peer.encrypt(b"hello"))
        peer.plain.setblocking(True)
        peer.plain.shutdown(socket.SHUT_WR)
        peer.sock.setblocking(True)
        assert peer.sock.recv(100) == b"hello"
        with pytest.raises(standard.SSLEOFError):
            peer.sock.recv(100)
        assert peer.sock.truncated


def test_a_broken_record_of_the_carrier_is_its_error(proxied):
    proxied.peer.sock.settimeout(PATIENCE)
    proxied.deliver_raw(BROKEN)
    with pytest.raises(standard.SSLError, match=r"BAD_RECORD_MAC|RECORD_LAYER_FAILURE"):
        proxied.peer.sock.recv(100)
    with pytest.raises(OSError, match=r"."):
        proxied.peer.sock.send(b"x")
    assert proxied.peer.sock.truncated


def test_an_alert_of_the_carrier_is_its_error(proxied):
    proxied.peer.sock.settimeout(PATIENCE)
    socket.socket.sendall(proxied.peer.sock, BROKEN)
    proxied.far.settimeout(PATIENCE)
    with pytest.raises(standard.SSLError):
        proxied.far.recv(100)
    with pytest.raises(standard.SSLError, match="ALERT"):
        proxied.peer.sock.recv(100)


@pytest.mark.parametrize("verb", ["recv", "peek"])
@pytest.mark.parametrize("by_peer", [False, True], ids=["broken", "alert"])
def test_an_error_outside_of_three_layers_is_its_error(
    certificates, client_context, server_context, carrier, verb, by_peer
):
    """However many layers it passes, and also in the handshake of another one."""
    middle = tls_transport(certificates.client_context(), certificates.server_context(), carrier.transport())
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT, transport=middle) as (client, server):
        socket.socket.sendall(client if by_peer else server, BROKEN)
        if by_peer:
            with pytest.raises(standard.SSLError):
                server.recv(100)
        with pytest.raises(standard.SSLError) as raised:
            getattr(client, verb)(100)
        assert raised.value.alert == standard.AlertDescription.ALERT_DESCRIPTION_BAD_RECORD_MAC
        assert raised.value.alert_sent is not by_peer
        assert client.truncated
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT, transport=middle) as (client, server):
        socket.socket.sendall(server, BROKEN)
        with pytest.raises(standard.SSLError) as raised:
            client_context.wrap_socket(client, server_hostname=HOST)
        assert raised.value.alert_sent


def test_an_error_outside_that_was_peeked_at_is_that_of_the_next_read(
    certificates, client_context, server_context, carrier
):
    """Whatever fails in between."""
    middle = tls_transport(certificates.client_context(), certificates.server_context(), carrier.transport())
    for transport in (carrier.transport(), middle):
        with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT, transport=transport) as (client, server):
            socket.socket.sendall(server, BROKEN)
            for verb in (client.peek, client.recv):
                with pytest.raises(standard.SSLError, match=r"BAD_RECORD_MAC|RECORD_LAYER_FAILURE"):
                    verb(100)
                client.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("size", [3, 8], ids=["header", "body"])
def test_a_cut_that_was_peeked_at_is_reported_until_it_is_read(proxied, size):
    """A part of a record, and the end of the carrier, without one of TCP."""
    proxied.peer.deliver(proxied.peer.encrypt(b"data")[:size])
    proxied.far.close_notify()
    for _ in range(2):
        until(lambda: readable(proxied.peer.sock), "select() reports it")
        assert driven(proxied.peer.sock, proxied.peer.sock.peek, 100) == b""
    assert readable(proxied.peer.sock)
    assert proxied.peer.sock.recv(100) == b""
    assert proxied.peer.sock.truncated
    assert not readable(proxied.peer.sock)


def test_a_reset_is_a_reset(proxied):
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    proxied.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    proxied.far.close()
    proxied.peer.sock.settimeout(PATIENCE)
    with pytest.raises(ConnectionResetError):
        proxied.peer.sock.recv(100)
    with pytest.raises(BrokenPipeError):
        proxied.peer.sock.send(b"x")


def test_what_a_callback_of_the_carrier_raises_the_verb_inside_raises(client_context, server_context, carrier):
    class Stop(Exception):
        pass

    armed = []

    def watch(connection: Any, direction: str, *_: object) -> None:
        if armed and direction == armed[0]:
            armed.clear()
            raise Stop

    carrier.client._msg_callback = watch
    with tls_sockets(client_context, server_context, transport=carrier.transport()) as (client, server):
        armed.append("write")
        with pytest.raises(Stop):
            client.sendall(b"hello")
        server.sendall(b"answer")
        armed.append("read")
        with pytest.raises(Stop):
            client.recv(100)
        # Nothing was lost.
        assert receive_exactly(server, 5) == b"hello"
        assert receive_exactly(client, 6) == b"answer"


def test_a_callback_of_the_carrier_may_ask_both_and_use_neither(client_context, server_context, carrier):
    said: list[Any] = []

    def watch(connection: Any, *_: object) -> None:
        if inside:
            said.append((inside[0].version(), connection.version(), inside[0].pending()))
            with pytest.raises(ValueError, match="a callback cannot read"):
                inside[0].recv(1)
            with pytest.raises(ValueError, match="a callback cannot read"):
                inside[0].send(b"x")

    inside: list[Any] = []
    carrier.client._msg_callback = watch
    with tls_sockets(client_context, server_context, transport=carrier.transport()) as (client, server):
        inside.append(client)
        client.sendall(b"hello")
        assert server.recv(100) == b"hello"
        inside.clear()
    assert said
    assert set(said) == {(client_context.maximum_version.name.replace("_", "."), carrier_version(carrier), 0)}


def carrier_version(carrier: Contexts) -> str:
    return str(carrier.client.maximum_version.name.replace("_", "."))


# --- What to wait for -------------------------------------------------------------------------------------------------


def test_a_send_amid_a_renegotiation_outside_waits_for_the_peer(certificates, client_context, server_context, tmp_path):
    """TLS 1.2: until the server outside has answered, the kernel is not what a send waits for."""
    carrier = Contexts(
        certificates.client_context(tls.TLSVersion.TLSv1_2), certificates.server_context(tls.TLSVersion.TLSv1_2)
    )
    carrier.server.set_ciphers("ECDHE+AES128+AESGCM")
    carrier.server.keylog_filename = str(tmp_path / "keys")
    with Peer(carrier.client, carrier.server, handshake=False) as proxy:
        flights: list[bytes] = []
        deliver = proxy.deliver
        proxy.deliver = lambda raw: flights.append(raw) or deliver(raw)  # type: ignore[method-assign, func-returns-value]
        proxy.handshake()
        forger = Forger12(tmp_path / "keys", b"".join(flights))
        with Inside(proxy, client_context, server_context) as inside:
            inside.handshake()
            forger.sequence += inside.delivered
            proxy.plain.sendall(forger.record(22, bytes(4)))  # HelloRequest
            with pytest.raises(standard.SSLWantReadError):
                inside.sock.recv(100)
            for _ in range(2):
                with pytest.raises(standard.SSLWantReadError):
                    inside.sock.send(b"hello")
            inside.sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                inside.sock.send(b"hello")


def test_a_recv_that_has_to_answer_first_waits_for_the_kernel(certificates, client_context, server_context, tmp_path):
    """The server outside requests key after key, and does not read the answers."""
    carrier = Contexts(
        certificates.client_context(tls.TLSVersion.TLSv1_3), certificates.server_context(tls.TLSVersion.TLSv1_3)
    )
    carrier.server.num_tickets = 0
    carrier.server.keylog_filename = str(tmp_path / "keys")
    carrier.client.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    with Peer(carrier.client, carrier.server, transport=small) as proxy:
        forger = Forger(tmp_path / "keys")
        forger.sequence = 1
        with Inside(proxy, client_context, server_context) as inside:
            inside.handshake()
            forger.sequence += inside.delivered
            wants = set()
            for _ in range(200):
                proxy.plain.setblocking(True)
                proxy.plain.sendall(b"".join(forger.key_update(requested=True) for _ in range(100)))
                proxy.plain.setblocking(False)
                try:
                    inside.sock.recv(100)
                except standard.SSLError as want:
                    wants.add(type(want))
                if standard.SSLWantWriteError in wants:
                    break
            assert wants == {standard.SSLWantReadError, standard.SSLWantWriteError}
            # And it goes on when the answers have been read.
            raw = forger.data(inside.encrypt(b"at last"))
            sending = Task(send_all_raw, proxy.plain, raw)
            assert driven_and_drained(proxy, inside.sock, 7) == b"at last"
            sending.result()


def send_all_raw(sock: socket.socket, raw: bytes) -> None:
    while raw:
        select.select([], [sock], [], PATIENCE)
        with contextlib.suppress(BlockingIOError):
            raw = raw[sock.send(raw) :]


def driven_and_drained(proxy: Peer, sock: Any, size: int) -> bytes:
    while True:
        try:
            return bytes(sock.recv(size))
        except (standard.SSLWantReadError, standard.SSLWantWriteError):
            with contextlib.suppress(BlockingIOError):
                while proxy.plain.recv(65536):
                    pass
            select.select([sock], [], [], 0.001)


class Inside:
    """`sock`, a client inside the connection of a Peer, and its server, which the test drives."""

    def __init__(self, proxy: Peer, client_context: Any, server_context: Any) -> None:
        self.proxy = proxy
        self.incoming, self.outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        self.tls = server_context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.sock = client_context.wrap_socket(proxy.sock, server_hostname=HOST, do_handshake_on_connect=False)
        self.delivered = 0  # records of the connection that carries it

    def handshake(self) -> None:
        unfinished = [self.sock, self.tls]
        while unfinished:
            unfinished = [side for side in unfinished if attempt(side.do_handshake) is WANT]
            self.deliver(self.outgoing.read())
            self.proxy.drain()
            self.incoming.write(self.proxy.decrypted())
        self.deliver(self.encrypt(b"!"))
        assert driven(self.sock, self.sock.recv, 1) == b"!"

    def encrypt(self, data: bytes) -> bytes:
        self.tls.write(data)
        return bytes(self.outgoing.read())

    def deliver(self, data: bytes) -> None:
        if data:
            raw = self.proxy.encrypt(data)
            self.delivered += len(list(records(raw)))
            self.proxy.plain.sendall(raw)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
