"""send() on a full socket: what it reports as sent is sent exactly once, and never replaced by other bytes."""

from __future__ import annotations

import array
import contextlib
import socket
import ssl as standard
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.core.peer import Peer, readable, until
from tests.kit.pair import WANT
from tests.kit.sockets import tcp_pair, unix_pair
from tests.kit.threads import Task

RECORD = 16384

# Different at every position, so that a byte in a wrong place is seen.
STREAM = array.array("I", range(1, 1 << 19)).tobytes()


def small(transport: Callable[[], tuple[socket.socket, socket.socket]]) -> tuple[socket.socket, socket.socket]:
    """A transport whose buffers are full soon."""
    near, far = transport()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
    return near, far


@pytest.fixture
def peer(client_context: Any, server_context: Any, transport: Any) -> Iterator[Peer]:
    with Peer(client_context, server_context, transport=lambda: small(transport)) as peer:
        yield peer


@pytest.fixture
def unix_peer(client_context: Any, server_context: Any) -> Iterator[Peer]:
    """A full AF_UNIX socket stays full; TCP's buffers grow and move on their own."""
    with Peer(client_context, server_context, transport=lambda: small(unix_pair)) as peer:
        yield peer


def try_send(sock: Any, data: Any) -> Any:
    try:
        return sock.send(data)
    except standard.SSLWantWriteError:
        return WANT


class Sender:
    """Sends STREAM through `peer.sock`, and keeps the books."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.acknowledged = 0
        self.arrived = b""

    def offer(self, size: int) -> Any:
        """send() of the next bytes of the stream."""
        sent = try_send(self.peer.sock, STREAM[self.acknowledged : self.acknowledged + size])
        if sent is not WANT:
            assert 0 < sent <= size
            self.acknowledged += sent
        return sent

    def fill(self, size: int) -> None:
        """Sends until nothing goes any more: the last offer is waiting for its retry."""
        while self.offer(size) is not WANT:
            pass

    def drain(self, most: int = 1 << 30) -> None:
        self.peer.drain(most)
        self.arrived += self.peer.decrypted()
        assert self.arrived == STREAM[: len(self.arrived)]

    def drain_all(self) -> None:
        """Everything that is in the kernel."""
        until(lambda: self.drain() or len(self.arrived) >= self.acknowledged, "what was acknowledged has arrived")

    def finish(self, size: int) -> None:
        """Repeats the pending send until it is complete."""
        left = size
        while left:
            sent = self.offer(left)
            self.drain()
            left -= 0 if sent is WANT else sent
        self.drain_all()
        assert len(self.arrived) == self.acknowledged


@pytest.mark.parametrize("size", [1, 100, RECORD, RECORD + 1, 100_000, 500_000])
def test_every_acknowledged_byte_is_in_the_kernel(peer, size):
    sender = Sender(peer)
    for _ in range(20000):
        if sender.offer(size) is WANT:
            break
    else:
        pytest.fail("the socket was never full")
    acknowledged = sender.acknowledged
    assert acknowledged > 0
    sender.drain_all()
    assert len(sender.arrived) == acknowledged
    sender.finish(size)


def test_a_partial_count_is_a_number_of_whole_records(peer):
    sent = peer.sock.send(STREAM[:1_000_000])
    assert 0 < sent < 1_000_000
    assert sent % RECORD == 0


def test_a_full_socket_stays_full_until_it_is_drained(unix_peer):
    sender = Sender(unix_peer)
    sender.fill(5000)
    assert [sender.offer(5000) for _ in range(50)] == [WANT] * 50
    sender.drain_all()
    sender.finish(5000)


@pytest.mark.parametrize("drained_first", [False, True], ids=["still-full", "drained"])
@pytest.mark.parametrize("size", [1, 300, RECORD, 3 * RECORD])
def test_a_changed_retry_is_rejected_and_the_connection_stays_usable(peer, size, drained_first):
    sender = Sender(peer)
    sender.fill(size)
    if drained_first:
        sender.drain_all()
    waiting = STREAM[sender.acknowledged : sender.acknowledged + size]
    first = bytes([waiting[0] ^ 1]) + waiting[1:]
    last = waiting[: min(size, RECORD) - 1] + bytes([waiting[min(size, RECORD) - 1] ^ 1])
    for changed in (first, last, first[:1], first + b"more"):
        with pytest.raises(standard.SSLError) as refused:
            peer.sock.send(changed)
        assert refused.value.reason == "BAD_WRITE_RETRY"
        assert "again" in str(refused.value)
    sender.finish(size)
    sender.finish(10_000)


def test_sendall_of_other_bytes_is_rejected_too(peer):
    sender = Sender(peer)
    sender.fill(1000)
    with pytest.raises(standard.SSLError, match="BAD_WRITE_RETRY"):
        peer.sock.sendall(b"something else")
    sender.finish(1000)


@pytest.mark.parametrize("shorter", [1, 999, RECORD, RECORD + 1, 2 * RECORD])
def test_a_shorter_retry_with_the_same_beginning_works(peer, shorter):
    sender = Sender(peer)
    size = 3 * RECORD
    sender.fill(size)
    sender.drain_all()
    # TCP takes a moment to open its window again.
    until(lambda: sender.drain() or sender.offer(shorter) is not WANT, "the socket takes more")
    sender.drain()
    assert len(sender.arrived) >= sender.acknowledged, "what is acknowledged is in the kernel"
    sender.finish(size)
    sender.finish(10_000)


def test_a_longer_retry_with_the_same_beginning_works(peer):
    sender = Sender(peer)
    sender.fill(100)
    sender.drain_all()
    sender.finish(70_000)


@pytest.mark.parametrize(
    "kind", [bytes, bytearray, lambda data: memoryview(bytearray(data)), lambda data: array.array("B", data)]
)
def test_the_same_bytes_in_another_object_are_a_retry(peer, kind):
    sender = Sender(peer)
    sender.fill(30_000)
    sender.drain_all()
    sent = peer.sock.send(kind(STREAM[sender.acknowledged : sender.acknowledged + 30_000]))
    sender.acknowledged += sent
    sender.finish(30_000)


def test_a_buffer_may_change_after_its_send_was_rejected(peer):
    """What is promised to the peer is what the buffer held then."""
    sender = Sender(peer)
    sender.fill(1000)
    waiting = STREAM[sender.acknowledged : sender.acknowledged + 1000]
    sender.drain_all()
    # The records of `waiting` go out without the program's buffer: a fill() sends copies that are gone by now.
    sender.finish(1000)
    assert sender.arrived.endswith(waiting)


def test_reading_continues_while_the_socket_is_full(unix_peer):
    sender = Sender(unix_peer)
    sender.fill(RECORD)
    for number in range(20):
        unix_peer.deliver(unix_peer.encrypt(b"%d" % number))
        assert unix_peer.sock.recv(100) == b"%d" % number
        assert sender.offer(RECORD) is WANT
    sender.drain_all()
    sender.finish(RECORD)


def test_select_reports_when_a_retry_will_make_progress(peer):
    sender = Sender(peer)
    sender.fill(RECORD)
    while sender.offer(RECORD) is WANT:
        sender.drain(5000)
    sender.finish(RECORD)


def test_a_sendall_that_timed_out_before_its_first_byte_can_be_repeated(unix_peer):
    sender = Sender(unix_peer)
    sender.fill(1000)
    waiting = STREAM[sender.acknowledged : sender.acknowledged + 1000]
    unix_peer.sock.settimeout(0.01)
    with pytest.raises(TimeoutError):
        unix_peer.sock.sendall(waiting)
    with pytest.raises(TimeoutError):
        unix_peer.sock.sendall(waiting)
    unix_peer.sock.settimeout(0)
    sender.drain_all()
    unix_peer.sock.sendall(waiting)
    sender.acknowledged += 1000
    sender.drain_all()
    assert len(sender.arrived) == sender.acknowledged


def test_a_partial_sendall_is_not_sent_twice(peer):
    """Nobody knows how much of it was sent: sending it from its start again would repeat bytes."""
    peer.sock.settimeout(0.01)
    with pytest.raises(TimeoutError):
        peer.sock.sendall(STREAM[:500_000])
    peer.sock.settimeout(0)
    sender = Sender(peer)
    until(lambda: sender.drain() or sender.arrived, "a part of it has arrived")
    with pytest.raises(standard.SSLError, match="BAD_WRITE_RETRY"):
        peer.sock.sendall(STREAM[:500_000])


def test_a_send_with_a_timeout_returns_the_count_sent_in_time(peer):
    peer.sock.settimeout(0.01)
    sender = Sender(peer)
    sent = peer.sock.send(STREAM[:500_000])
    assert 0 < sent < 500_000
    sender.acknowledged = sent
    sender.drain_all()
    assert len(sender.arrived) == sent
    peer.sock.settimeout(0)
    sender.finish(500_000)


def test_a_sendall_with_a_timeout_continues_once_there_is_space(peer):
    peer.sock.settimeout(30)
    sending = Task(peer.sock.sendall, STREAM[:1_000_000])
    sender = Sender(peer)
    until(lambda: sender.drain() or len(sender.arrived) == 1_000_000, "all of it has arrived")
    sending.result()


def test_unwrap_sends_pending_records_before_close_notify(peer):
    """The bytes that a send did not acknowledge are promised to the peer: it gets them whole, then the end."""
    sender = Sender(peer)
    sender.fill(3 * RECORD)
    with contextlib.suppress(standard.SSLWantWriteError, standard.SSLWantReadError):
        peer.sock.unwrap()
    parts = []

    def ended() -> bool:
        peer.drain()
        with contextlib.suppress(standard.SSLWantReadError):
            while data := peer.tls.read(65536):
                parts.append(data)
            return True
        with contextlib.suppress(standard.SSLWantWriteError, standard.SSLWantReadError):
            peer.sock.unwrap()
        return False

    until(ended, "close_notify has arrived")
    sender.arrived = b"".join(parts)
    assert sender.arrived == STREAM[: len(sender.arrived)]
    assert len(sender.arrived) >= sender.acknowledged
    assert not readable(peer.plain)


# --- Any order of offers and drains -----------------------------------------------------------------------------------

offers = st.one_of(st.integers(1, 300), st.integers(1, 40_000), st.sampled_from([RECORD, 2 * RECORD, 200_000]))


class FullSocket(RuleBasedStateMachine):
    """A stream, offered in pieces that a program may choose, to a peer that drains as it likes."""

    contexts: tuple[Any, Any]

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.waiting = 0  # so many bytes were offered, and none of them acknowledged
        self.promised = 0  # so many of them, at least, are in records already
        self.fresh = True  # no earlier offer, sent in part, has left a rest in records

    @initialize(transport=st.sampled_from([unix_pair, tcp_pair]))
    def connect(self, transport: Any) -> None:
        self.peer = self.stack.enter_context(Peer(*self.contexts, transport=lambda: small(transport)))
        self.sender = Sender(self.peer)

    @rule(size=offers)
    def offer(self, size: int) -> None:
        if self.sender.acknowledged > len(STREAM) // 2:
            return
        sent = self.sender.offer(size)
        if sent is WANT:
            self.waiting = max(self.waiting, size)
            self.promised = self.promised or (min(size, RECORD) if self.fresh else 1)
        else:
            self.waiting = self.promised = 0
            self.fresh = sent == size

    @rule(size=offers, at=st.floats(0, 1))
    def offer_other_bytes(self, size: int, at: float) -> None:
        if not self.promised:  # not a precondition: TCP decides when it is full, and hypothesis wants to repeat itself
            return
        start = self.sender.acknowledged
        data = bytearray(STREAM[start : start + size])
        data[int(at * (min(size, self.promised) - 1))] ^= 1
        with pytest.raises(standard.SSLError) as refused:
            self.peer.sock.send(data)
        assert refused.value.reason == "BAD_WRITE_RETRY"

    @rule(most=st.one_of(st.integers(1, 100), st.integers(1, 60_000)))
    def drain(self, most: int) -> None:
        self.sender.drain(most)

    @rule(data=st.binary(min_size=1, max_size=100))
    def receive(self, data: bytes) -> None:
        self.peer.deliver(self.peer.encrypt(data))
        assert self.peer.sock.recv(100) == data

    def teardown(self) -> None:
        try:
            if hasattr(self, "sender"):
                self.sender.drain_all()
                self.sender.finish(max(self.waiting, 200_000))
        finally:
            self.stack.close()


def test_sends_and_drains_in_any_order(client_context, server_context):
    machine = type("Machine", (FullSocket,), {"contexts": (client_context, server_context)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
