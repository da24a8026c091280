"""SSLContext.read_ahead: what has arrived is taken at once, has_pending() tells of it, and nothing of it is lost."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import selectors
import socket
import ssl as standard
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.peer import Peer, asleep, in_kernel, readable, until
from tests.core.test_select_truth import broken_record, close_notify, expect, fatal_alert, fin, plain_text
from tests.incidents.processes import Child, forks
from tests.kit.certificates import Certificates
from tests.kit.deliveries import Relay, byte_by_byte
from tests.kit.pair import WANT, attempt
from tests.kit.sockets import (
    BLOCKING,
    NON_BLOCKING,
    WITH_TIMEOUT,
    handshake,
    receive_exactly,
    send_all,
    tls_sockets,
    tls_transport,
)
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

READ = selectors.EVENT_READ

waiting = pytest.mark.parametrize("mode", [BLOCKING, WITH_TIMEOUT], ids=lambda mode: mode.name)
many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def reading_ahead(context: Any) -> Any:
    context.read_ahead = True
    return context


@pytest.fixture
def client_context(certificates: Certificates, version: Any) -> Any:
    return reading_ahead(certificates.client_context(version))


@pytest.fixture
def server_context(certificates: Certificates, version: Any) -> Any:
    return reading_ahead(certificates.server_context(version))


@pytest.fixture
def ahead(client_context: Any, server_context: Any, plain_transport: Any) -> Iterator[Peer]:
    """A client that reads ahead, and the other end, which the test controls."""
    with Peer(client_context, server_context, transport=plain_transport) as peer:
        yield peer


def calls(sock: Any) -> int:
    return int(sock._sslobj.counters()["syscalls"])


# --- Bytes ------------------------------------------------------------------------------------------------------------


def test_it_is_off_unless_it_is_set(certificates: Certificates) -> None:
    for context in (tls.create_default_context(), certificates.client_context(), certificates.server_context()):
        assert context.read_ahead is False
        context.read_ahead = True
        assert context.read_ahead is True
        assert context.copy().read_ahead is True


def test_a_message_and_its_answer_take_two_system_calls(client_context: Any, server_context: Any) -> None:
    """One to send and one to receive, which is the wait as well; without read_ahead it is three."""
    with tls_sockets(client_context, server_context) as (client, server):
        echo = Task(lambda: [server.sendall(receive_exactly(server, 4)) for _ in range(11)])
        client.sendall(b"ping")
        assert receive_exactly(client, 4) == b"ping"  # and session tickets
        before = calls(client)
        for _ in range(10):
            client.sendall(b"ping")
            assert client.recv(100) == b"ping"
        echo.result()
        assert calls(client) - before == 20


def test_a_look_is_good_for_several_reads(ahead: Peer) -> None:
    records = [os.urandom(16384) for _ in range(3)]
    ahead.deliver(b"".join(map(ahead.encrypt, records)))
    before = calls(ahead.sock)
    assert [ahead.sock.recv(16384) for _ in records] == records
    assert calls(ahead.sock) - before == 1


def test_both_ends_in_every_mode_and_every_delivery(
    client_context: Any, server_context: Any, mode: Any, delivery: Any
) -> None:
    with Relay(delivery) as relay:
        client = client_context.wrap_socket(relay.client, server_hostname="localhost", do_handshake_on_connect=False)
        server = server_context.wrap_socket(relay.server, server_side=True, do_handshake_on_connect=False)
        with client, server:
            handshake(client, server)
            client.settimeout(mode.timeout)
            server.settimeout(mode.timeout)
            for size in (1, 100) if delivery is byte_by_byte else (1, 1000, 40_000):
                data = os.urandom(size)
                for sender, receiver in ((client, server), (server, client)):
                    sending = Task(send_all, sender, data)
                    assert receive_exactly(receiver, size) == data
                    sending.result()


@many
@given(
    sizes=st.lists(st.one_of(st.integers(1, 300), st.integers(1, 16384)), min_size=1, max_size=5),
    cuts=st.lists(st.floats(0, 1), max_size=4),
    reads=st.lists(st.one_of(st.integers(1, 300), st.integers(1, 70000)), min_size=1, max_size=6),
)
def test_what_is_not_read_is_pending_or_in_the_kernel(
    client_context: Any, server_context: Any, plain_transport: Any, sizes: Any, cuts: Any, reads: Any
) -> None:
    with Peer(client_context, server_context, transport=plain_transport) as peer:
        plaintext = [os.urandom(size) for size in sizes]
        raw = b"".join(map(peer.encrypt, plaintext))
        received, delivered, turn = b"", 0, 0
        for cut in [*sorted(int(cut * len(raw)) for cut in cuts), len(raw)]:
            peer.deliver(raw[delivered:cut])
            delivered = cut
            # A want ends the loop: it has read a part of a record, and the rest will be where select() sees it.
            while peer.sock.has_pending() or readable(peer.sock):
                data = attempt(peer.sock.recv, reads[turn % len(reads)])
                turn += 1
                if data is WANT:
                    assert not peer.sock.has_pending()
                    assert not readable(peer.sock)
                else:
                    received += data
        assert received == b"".join(plaintext)
        assert in_kernel(peer.sock) == 0


def test_whole_records_are_pending_before_they_are_decrypted(ahead: Peer) -> None:
    ahead.deliver(ahead.encrypt(b"hello") + ahead.encrypt(b"world"))
    assert not ahead.sock.has_pending()
    assert ahead.sock.recv(5) == b"hello"
    assert (ahead.sock.pending(), ahead.sock.has_pending()) == (0, True)
    assert in_kernel(ahead.sock) == 0
    assert not readable(ahead.sock), "which is why a program must not ask"
    assert ahead.sock.peek(3) == b"wor"
    assert (ahead.sock.pending(), ahead.sock.has_pending()) == (5, True)
    assert ahead.sock.recv(100) == b"world"
    assert not ahead.sock.has_pending()


def test_a_part_of_a_record_is_pending_until_a_read_has_looked_at_it(ahead: Peer) -> None:
    """Or a program that reads whenever it is told to would do so for ever."""
    first, second = ahead.encrypt(b"hello"), ahead.encrypt(b"world")
    ahead.deliver(first + second[:7])
    assert ahead.sock.recv(5) == b"hello"
    assert ahead.sock.has_pending()
    assert attempt(ahead.sock.recv, 5) is WANT
    assert not ahead.sock.has_pending()
    ahead.deliver(second[7:])
    assert readable(ahead.sock)
    assert ahead.sock.recv(5) == b"world"


def test_without_it_has_pending_says_what_pending_says(certificates: Certificates, version: Any) -> None:
    with Peer(certificates.client_context(version), certificates.server_context(version)) as peer:
        peer.deliver(peer.encrypt(b"hello") + peer.encrypt(b"world"))
        assert not peer.sock.has_pending()
        assert peer.sock.recv(2) == b"he"
        assert peer.sock.has_pending()
        assert peer.sock.recv(3) == b"llo"
        assert not peer.sock.has_pending()
        assert readable(peer.sock)


def test_an_object_has_it_too(pair: Any) -> None:
    pair.handshake()
    pair.server.write(b"hello")
    pair.pump()
    assert not pair.client.has_pending(), "what the incoming BIO has is its own"
    assert pair.client.read(2) == b"he"
    assert pair.client.has_pending()


# --- The end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_size", [4, 5, 100], ids=["short", "exact", "room"])
@pytest.mark.parametrize(
    "event", [close_notify, fatal_alert, broken_record, plain_text, fin], ids=lambda event: event.__name__
)
def test_data_is_delivered_before_what_follows_it(ahead: Peer, event: Any, read_size: int) -> None:
    raw = ahead.encrypt(b"hello")
    ahead.deliver(raw if event is fin else raw + event(ahead))
    if event is fin:
        event(ahead)
    received = b""
    while len(received) < 5:
        assert ahead.sock.has_pending() or readable(ahead.sock)
        received += ahead.sock.recv(read_size)
    assert received == b"hello"
    assert ahead.sock.has_pending() or readable(ahead.sock), "the event wakes who has asked"
    with contextlib.nullcontext() if event in (close_notify, fin) else pytest.raises(standard.SSLError):
        assert ahead.sock.peek(100) == b""
    assert ahead.sock.has_pending() or readable(ahead.sock), "and was only looked at"
    expect(ahead, event)


@pytest.mark.parametrize("read_size", [5, 100])
def test_an_end_that_was_read_is_pending_no_longer(ahead: Peer, read_size: int) -> None:
    ahead.deliver(ahead.encrypt(b"hello") + ahead.close_notify())
    assert ahead.sock.recv(read_size) == b"hello"
    assert ahead.sock.has_pending()
    assert ahead.sock.recv(read_size) == b""
    assert not ahead.sock.has_pending()
    assert not readable(ahead.sock)


@pytest.mark.parametrize("sends", [False, True], ids=["reads", "sends-first"])
@pytest.mark.parametrize("mode", [BLOCKING, WITH_TIMEOUT, NON_BLOCKING], ids=lambda mode: mode.name)
def test_data_before_a_reset_can_be_read(client_context: Any, server_context: Any, mode: Any, sends: bool) -> None:
    with Peer(client_context, server_context) as peer:
        peer.deliver(peer.encrypt(b"hello") + peer.encrypt(b"wide") + peer.encrypt(b"world"))
        assert peer.sock.recv(5) == b"hello"
        peer.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.plain.close()
        until(lambda: readable(peer.sock), "the reset has arrived")
        peer.sock.settimeout(mode.timeout)
        if sends:
            with pytest.raises(ConnectionResetError):
                peer.sock.send(b"answer")
        assert peer.sock.recv(4) == b"wide"
        assert peer.sock.recv(100) == b"world"
        with pytest.raises(ConnectionResetError):
            peer.sock.recv(100)


# --- A protocol that goes on without TLS ------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["unwrap", "detach"])
def test_bytes_behind_the_end_that_were_read_ahead_are_no_silent_loss(ahead: Peer, leave: str) -> None:
    ahead.deliver(ahead.encrypt(b"hello") + ahead.close_notify() + b"220 plain text")
    assert ahead.sock.recv(100) == b"hello"
    assert ahead.sock.recv(100) == b""
    number = ahead.sock.fileno()
    for _ in range(2):
        with pytest.raises(standard.SSLError, match="would be lost"):
            getattr(ahead.sock, leave)()
        assert ahead.sock.fileno() == number
        assert ahead.sock.version() is not None
        assert ahead.sock.has_pending()


@pytest.mark.parametrize("leave", ["unwrap", "detach"])
def test_without_such_bytes_the_socket_can_be_left(ahead: Peer, leave: str) -> None:
    ahead.deliver(ahead.encrypt(b"hello") + ahead.close_notify())
    assert ahead.sock.recv(100) == b"hello"
    assert ahead.sock.recv(100) == b""
    left = getattr(ahead.sock, leave)()
    ahead.plain.send(b"220 plain text")
    with socket.socket(fileno=left) if leave == "detach" else left as plain:
        plain.settimeout(PATIENCE)
        assert plain.recv(100) == b"220 plain text"


def test_a_stream_in_its_middle_is_not_left_either(ahead: Peer) -> None:
    ahead.deliver(ahead.encrypt(b"hello") + ahead.encrypt(b"world"))
    assert ahead.sock.recv(5) == b"hello"
    with pytest.raises(standard.SSLError, match="would be lost"):
        ahead.sock.detach()
    assert ahead.sock.recv(5) == b"world"
    socket.socket(fileno=ahead.sock.detach()).close()


@pytest.mark.parametrize("ending", ["unwrap", "close_notify"])
def test_after_our_close_notify_nothing_is_read_ahead(ahead: Peer, ending: str) -> None:
    """The command channel of FTP, after CCC."""
    if ending == "unwrap":
        assert attempt(ahead.sock.unwrap) is WANT
    else:
        ahead.sock.close_notify()
        ahead.deliver(ahead.encrypt(b"bye"))
        assert ahead.sock.recv(100) == b"bye"
    ahead.deliver(ahead.close_notify() + b"220 plain text")
    if ending == "close_notify":
        assert ahead.sock.recv(100) == b""
    plain = ahead.sock.unwrap()
    assert plain.recv(100) == b"220 plain text"


# --- Threads ----------------------------------------------------------------------------------------------------------


def all_asleep(*tasks: Task) -> None:
    until(lambda: all(asleep(task.thread) for task in tasks), "all wait")


@waiting
def test_many_readers_share_the_data(client_context: Any, server_context: Any, mode: Any) -> None:
    """Each byte is read once, and each record in order, whoever has taken it from the kernel."""
    numbers = [struct.pack(">I", number) for number in range(4000)]
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        seen: list[list[bytes]] = [[], [], []]

        def read(into: list[bytes]) -> None:
            while data := client.recv(4):  # of records of four bytes: never a part
                into.append(data)

        readers = [Task(read, each) for each in seen]
        for at in range(0, len(numbers), 40):
            if at % 80:
                server.sendv(numbers[at : at + 40])  # one record of many numbers
            else:
                for number in numbers[at : at + 40]:
                    server.sendall(number)
        server.close_notify()
        for reader in readers:
            reader.result()
        for each in seen:
            assert each == sorted(each)
        assert sorted(itertools.chain(*seen)) == numbers


@waiting
def test_a_reader_that_waits_gets_what_another_one_leaves(client_context: Any, server_context: Any, mode: Any) -> None:
    """Of a record, and of records that came with it: the kernel has nothing of them any more."""
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        server.sendall(b"before")
        assert client.recv(100) == b"before"
        for records in ([b"0123456789"], [b"0", b"1234", b"56789"]):
            for _ in range(10):
                short, long = Task(client.recv, 1), Task(client.recv, 1)
                all_asleep(short, long)
                raw = b"".join(records)
                for record in records:
                    server.sendall(record)
                assert sorted([short.result(), long.result()]) == [b"0", b"1"]
                assert receive_exactly(client, len(raw) - 2) == raw[2:]
                assert not client.has_pending()


@waiting
@pytest.mark.parametrize("end", ["close_notify", "broken", "rest", "fin"])
def test_every_reader_that_waits_hears_of_the_end(
    client_context: Any, server_context: Any, mode: Any, end: str
) -> None:
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        server.sendall(b"before")
        assert client.recv(100) == b"before"
        readers = [Task(verb, 100) for verb in (client.recv, client.recv, client.peek, client.recv)]
        all_asleep(*readers)
        if end == "broken":
            socket.socket.sendall(server, b"\x17\x03\x03\x00\x20" + bytes(32))
        elif end == "fin":
            socket.socket.shutdown(server, socket.SHUT_WR)
        else:
            if end == "rest":
                server.sendall(b"last")
            server.close_notify()
        for reader in readers:
            try:
                assert reader.result() in (b"", b"last")
            except standard.SSLError:
                assert end == "broken"


def test_whoever_waits_longer_takes_over(client_context: Any, server_context: Any) -> None:
    """From a reader that had the kernel's ear, and whose timeout expires."""
    with tls_sockets(client_context, server_context) as (client, server):
        server.sendall(b"before")
        assert client.recv(100) == b"before"
        client.settimeout(0.3)
        first = Task(client.recv, 100)
        all_asleep(first)
        client.settimeout(None)
        second = Task(client.recv, 100)
        with pytest.raises(TimeoutError):
            first.result()
        all_asleep(second)
        server.sendall(b"data")
        assert second.result() == b"data"


def test_a_wait_for_another_reader_ends_in_time(client_context: Any, server_context: Any, deadline: Any) -> None:
    with tls_sockets(client_context, server_context) as (client, server):
        first = Task(client.recv, 100)
        all_asleep(first)
        client.settimeout(0.2)
        with deadline():
            client.recv(100)
        client.settimeout(0)
        assert attempt(client.recv, 100) is WANT
        server.sendall(b"data")
        assert first.result() == b"data"


@waiting
def test_a_blocked_recv_does_not_delay_a_send(client_context: Any, server_context: Any, mode: Any) -> None:
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        receiving = Task(client.recv, 100)
        all_asleep(receiving)
        client.sendall(b"x" * 1_000_000)
        assert len(receive_exactly(server, 1_000_000)) == 1_000_000
        server.sendall(b"answer")
        assert receiving.result() == b"answer"


@waiting
def test_unwrap_in_another_thread_ends_a_recv(client_context: Any, server_context: Any, mode: Any) -> None:
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        receiving = Task(client.recv, 100)
        all_asleep(receiving)
        unwrapping = Task(client.unwrap)
        assert server.recv(100) == b""
        server.unwrap()
        with contextlib.suppress(standard.SSLZeroReturnError):  # as of any read after our close_notify
            assert receiving.result() == b""
        unwrapping.result()
        server.sendall(b"plain")
        assert client.recv(100) == b"plain"


@waiting
def test_a_socket_in_a_recv_is_not_detached(client_context: Any, server_context: Any, mode: Any) -> None:
    """Its thread would take bytes of the new owner."""
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        receiving = Task(client.recv, 100)
        all_asleep(receiving)
        with pytest.raises(OSError, match="wait for it") as caught:
            client.detach()
        assert caught.value.errno == errno.EBUSY
        server.sendall(b"data")
        assert receiving.result() == b"data"
        with socket.socket(fileno=client.detach()) as plain:
            plain.sendall(b"raw")
            assert socket.socket.recv(server, 10) == b"raw"


@waiting
def test_a_close_ends_every_call(client_context: Any, server_context: Any, mode: Any) -> None:
    with tls_sockets(client_context, server_context, mode=mode) as (client, _server):
        readers = [Task(client.recv, 100) for _ in range(3)]
        all_asleep(*readers)
        client.close()
        for reader in readers:
            with pytest.raises(OSError, match="descriptor") as caught:
                reader.result()
            assert caught.value.errno == errno.EBADF


@waiting
def test_a_callback_in_the_middle_of_a_send_does_not_delay_what_comes(
    client_context: Any, server_context: Any, mode: Any
) -> None:
    """What a waiting reader takes while another verb is out in Python stays in order."""
    entered, leave = threading.Event(), threading.Event()

    def show(_connection: Any, direction: str, *_: Any) -> None:
        if direction == "write" and armed:
            entered.set()
            leave.wait(PATIENCE)

    armed: list[bool] = []
    client_context._msg_callback = show
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        server.sendall(b"before")
        assert client.recv(100) == b"before"
        receiving = Task(client.recv, 3)
        all_asleep(receiving)
        armed.append(True)
        sending = Task(client.sendall, b"from the client")
        assert entered.wait(PATIENCE)
        server.sendall(b"one")
        if mode is BLOCKING:  # with a timeout, it comes back to take it
            until(lambda: in_kernel(client) == 0, "it is taken")
        server.sendall(b"two")
        # A reader that waits for its turn looks up each second, and must not go back to wait for the kernel.
        looked_up = time.monotonic() + 1.5
        until(lambda: time.monotonic() > looked_up, "the reader has looked up")
        leave.set()
        sending.result()
        assert receiving.result() == b"one"
        assert receive_exactly(client, 3) == b"two"


# --- Processes --------------------------------------------------------------------------------------------------------


@forks
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_child_reads_on_where_its_parent_was(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context) as (client, server):
        server.sendall(b"hello")
        server.sendall(b"world")
        until(lambda: in_kernel(client) > 60, "both have arrived")
        assert receive_exactly(client, 5) == b"hello"

        def work() -> None:
            assert client.has_pending()
            assert client.recv(100) == b"world"
            client.sendall(b"from the child")
            assert client.recv(100) == b"to the child"

        child = Child(work)
        assert server.recv(100) == b"from the child"
        server.sendall(b"to the child")
        assert child.succeeded()


@forks
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
@waiting
def test_a_child_does_not_wait_for_a_thread_of_its_parent(client_context: Any, server_context: Any, mode: Any) -> None:
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        receiving = Task(client.recv, 100)
        all_asleep(receiving)

        def work() -> None:
            client.settimeout(0.1)
            try:
                client.recv(100)
            except TimeoutError:
                client.detach()
                return
            raise AssertionError("nothing was sent")

        assert Child(work).succeeded()
        server.sendall(b"data")
        assert receiving.result() == b"data"


# --- Which connections ------------------------------------------------------------------------------------------------


def is_reading_ahead(sock: Any, peer: Any) -> bool:
    """Found out with two records; the socket's timeout is None."""
    peer.sendall(b"hello")
    peer.sendall(b"world")
    until(lambda: in_kernel(sock) >= 2 * (5 + 5 + 16), "both have arrived")
    assert receive_exactly(sock, 5) == b"hello"
    ahead = not readable(sock)
    assert receive_exactly(sock, 5) == b"world"
    return ahead


@pytest.mark.parametrize("first", [False, True])
def test_it_is_that_of_the_context_that_the_connection_was_made_with(
    certificates: Certificates, version: Any, first: bool
) -> None:
    client = certificates.client_context(version)
    before, chosen = certificates.server_context(version), certificates.server_context(version)
    before.read_ahead, chosen.read_ahead = first, not first
    before.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    with tls_sockets(client, before) as (near, far):
        near.sendall(b"!")
        assert far.recv(1) == b"!"
        assert far.context is chosen
        assert is_reading_ahead(far, near) is first
        before.read_ahead = not first
        assert is_reading_ahead(far, near) is first


def test_an_accepted_connection_reads_ahead(client_context: Any, server_context: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        plain.settimeout(PATIENCE)
        with server_context.wrap_socket(plain, server_side=True) as listener:
            accepting = Task(listener.accept)
            with (
                socket.create_connection(listener.getsockname()) as near,
                client_context.wrap_socket(near, server_hostname="localhost") as client,
                accepting.result()[0] as accepted,
            ):
                client.sendall(b"!")
                assert accepted.recv(1) == b"!"
                assert is_reading_ahead(accepted, client)


# --- TLS in TLS -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3], ids=["in-tls12", "in-tls13"])
def carriers(request: pytest.FixtureRequest, certificates: Certificates) -> tuple[Any, Any]:
    """(client's, server's) contexts of the connection outside."""
    return (
        reading_ahead(certificates.client_context(request.param)),
        reading_ahead(certificates.server_context(request.param)),
    )


def test_inside_of_a_connection_that_reads_ahead_select_tells_the_truth(
    certificates: Certificates, version: Any, carriers: Any
) -> None:
    with Peer(
        certificates.client_context(version), certificates.server_context(version), transport=tls_transport(*carriers)
    ) as peer:
        for size in (3, 5, 100):
            raw = peer.encrypt(b"hello") + peer.encrypt(b"world")
            peer.deliver(raw)
            received = b""
            while len(received) < 10:
                assert peer.sock.pending() or readable(peer.sock)
                received += peer.sock.recv(size)
            assert received == b"helloworld"
            assert not readable(peer.sock)
            assert not peer.sock.has_pending()


def test_what_was_read_ahead_before_is_read_inside(certificates: Certificates, version: Any, carriers: Any) -> None:
    """The ClientHello in one segment with what asked for it, as a proxy's client may send it."""
    outer_client, outer_server = tls_transport(*carriers)()
    incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
    inner = certificates.client_context(version).wrap_bio(incoming, outgoing, server_hostname="localhost")
    assert attempt(inner.do_handshake) is WANT
    outer_client.sendall(b"CONNECT")
    hello = outgoing.read()
    outer_client.sendall(hello)
    until(lambda: in_kernel(outer_server) > len(hello), "both have arrived")
    assert outer_server.recv(7) == b"CONNECT"
    assert outer_server.has_pending()
    with (
        outer_client,
        certificates.server_context(version).wrap_socket(
            outer_server, server_side=True, do_handshake_on_connect=False
        ) as server,
    ):
        assert server.has_pending()
        shaking = Task(server.do_handshake)
        while attempt(inner.do_handshake) is WANT:
            if raw := outgoing.read():
                outer_client.sendall(raw)
            incoming.write(outer_client.recv(65536))
        outer_client.sendall(outgoing.read())
        shaking.result()
        inner.write(b"hello")
        outer_client.sendall(outgoing.read())
        assert server.recv(100) == b"hello"


def test_the_connection_outside_reads_ahead_again_when_it_comes_back(
    certificates: Certificates, version: Any, carriers: Any
) -> None:
    contexts = certificates.client_context(version), certificates.server_context(version)
    with tls_sockets(*contexts, transport=tls_transport(*carriers)) as (client, server):
        server.sendall(b"inside")
        assert client.recv(100) == b"inside"
        unwrapping = Task(server.unwrap)
        outside = client.unwrap()
        other = unwrapping.result()
        with outside, other:
            assert is_reading_ahead(outside, other)


# --- The selector -----------------------------------------------------------------------------------------------------


def test_the_selector_knows_what_was_read_ahead(ahead: Peer) -> None:
    with tls.Selector() as selector:
        key = selector.register(ahead.sock, READ)
        assert selector.select(0) == []
        ahead.deliver(ahead.encrypt(b"hello") + ahead.encrypt(b"world") + ahead.close_notify())
        assert selector.select(PATIENCE) == [(key, READ)]
        assert ahead.sock.recv(5) == b"hello"
        assert selector.select(None) == [(key, READ)]
        assert ahead.sock.recv(5) == b"world"
        assert selector.select(None) == [(key, READ)]
        assert ahead.sock.recv(5) == b""
        assert selector.select(0) == []


def test_a_loop_around_the_selector_reads_everything(ahead: Peer) -> None:
    data = os.urandom(100_000)
    raw = b"".join(ahead.encrypt(data[at : at + 999]) for at in range(0, len(data), 999))
    ahead.plain.settimeout(PATIENCE)
    sending = Task(ahead.plain.sendall, raw)
    received = b""
    with tls.Selector() as selector:
        selector.register(ahead.sock, READ)
        while len(received) < len(data):
            assert selector.select(PATIENCE)
            part = attempt(ahead.sock.recv, 100)
            received += part if isinstance(part, bytes) else b""
    sending.result()
    assert received == data
