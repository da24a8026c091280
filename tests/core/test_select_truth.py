"""After every recv(), what is left is counted by pending() or seen by select(): a program that waits misses nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl as standard

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.peer import Peer, in_kernel, readable
from tests.kit.pair import WANT, attempt
from tests.kit.records import records
from tests.kit.sockets import WITH_TIMEOUT

# The contexts and the transport are the same in every example; the connection is new in each.
many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

record_sizes = st.one_of(st.integers(1, 300), st.integers(1, 16384), st.sampled_from([1, 16383, 16384]))
read_sizes = st.one_of(st.integers(1, 300), st.integers(1, 70000), st.sampled_from([16384, 16385, 32768, 65536]))


RECORD = 16384  # RFC 8446, section 5.1: the most that one carries


class Account:
    """A stream on its way to `peer.sock`, byte by byte."""

    def __init__(self, peer: Peer, sizes: list[int]) -> None:
        self.peer = peer
        self.plaintext = os.urandom(sum(sizes))
        self.sizes = sizes
        self.taken = 0
        at = 0
        self.raw = b""
        for size in sizes:
            self.raw += peer.encrypt(self.plaintext[at : at + size])
            at += size
        self.delivered = 0

    @property
    def available(self) -> int:
        """How many bytes the complete records that were delivered carry."""
        complete = sum(record.complete for record in records(self.raw[: self.delivered]))
        return sum(self.sizes[:complete])

    def deliver_up_to(self, cut: int) -> None:
        self.peer.deliver(self.raw[self.delivered : cut])
        self.delivered = max(cut, self.delivered)

    def read(self, size: int) -> bool:
        """One recv(), and whether it found anything. Afterwards nothing that was delivered may be out of sight."""
        sock = self.peer.sock
        if sock.gettimeout() and self.taken == self.available:
            return False  # it would wait
        data = attempt(sock.recv, size)
        if data is WANT:
            assert self.taken == self.available
            assert not readable(sock), "select() would wake the program again and again"
            return False
        assert 0 < len(data) <= size
        assert data == self.plaintext[self.taken : self.taken + len(data)]
        self.taken += len(data)
        if self.taken < self.available:
            assert sock.pending() > 0 or readable(sock)
        else:
            assert sock.pending() == 0
        if size >= RECORD:
            assert sock.pending() == 0, "programs that read with such a buffer ask select() alone"
        return True


@many
@given(
    sizes=st.lists(record_sizes, min_size=1, max_size=5),
    cuts=st.lists(st.floats(0, 1), max_size=4),
    reads=st.lists(st.lists(read_sizes, min_size=1, max_size=4), min_size=1, max_size=4),
    waits=st.booleans(),
)
def test_every_byte_is_accounted_for(client_context, server_context, transport, sizes, cuts, reads, waits):
    with Peer(client_context, server_context, transport=transport) as peer:
        peer.sock.settimeout(WITH_TIMEOUT.timeout if waits else 0)
        account = Account(peer, sizes)
        for cut, some_reads in zip(sorted(int(cut * len(account.raw)) for cut in cuts), reads, strict=False):
            account.deliver_up_to(cut)
            for size in some_reads:
                account.read(size)
        account.deliver_up_to(len(account.raw))
        turn = 0
        while account.read(reads[0][turn % len(reads[0])]):
            turn += 1
        assert account.taken == len(account.plaintext)
        assert not readable(peer.sock)
        assert in_kernel(peer.sock) == 0


@many
@given(size=st.integers(1, 16384), share=st.floats(0, 1))
def test_a_recv_leaves_bytes_beyond_its_buffer_in_the_kernel(
    client_context, server_context, plain_transport, size, share
):
    """So that another reader of the descriptor, after unwrap() or in a child, finds the stream at a record's start."""
    with Peer(client_context, server_context, transport=plain_transport) as peer:
        second = peer.encrypt(b"second")
        # Records must be decrypted in the order of their encryption.
        first = peer.encrypt(os.urandom(size))
        peer.deliver(second + first)
        assert peer.sock.recv(6) == b"second"
        assert in_kernel(peer.sock) == len(first)
        assert len(peer.sock.recv(max(1, int(size * share)))) + peer.sock.pending() == size
        assert in_kernel(peer.sock) == 0


@pytest.mark.parametrize("size", [600, RECORD])
def test_a_record_that_does_not_fit_behind_another_stays_in_the_kernel(client_context, server_context, transport, size):
    """What `ssl` does with every record after the first: select() alone is enough for whoever reads 16 KiB or more."""
    with Peer(client_context, server_context, transport=transport) as peer:
        first, second, third = os.urandom(10_000), os.urandom(6_000), os.urandom(size)
        peer.deliver(peer.encrypt(first) + peer.encrypt(second) + peer.encrypt(third))
        received = peer.sock.recv(len(first + second + third) - 1)
        if received == first:  # over TLS in TLS, a record at a time
            received += peer.sock.recv(len(second))
        assert received == first + second
        assert peer.sock.pending() == 0
        assert readable(peer.sock)
        assert peer.sock.recv(RECORD) == third


# --- What comes in the same segment, right behind data ----------------------------------------------------------------


def close_notify(peer: Peer) -> bytes:
    return peer.close_notify()


def fatal_alert(peer: Peer) -> bytes:
    """The alert of a peer that was sent nonsense."""
    peer.incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(standard.SSLError):
        peer.tls.read()
    return bytes(peer.outgoing.read())


def broken_record(peer: Peer) -> bytes:
    (record,) = records(peer.encrypt(b"never to be seen"))
    return record.damaged()


def plain_text(peer: Peer) -> bytes:
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


def fin(peer: Peer) -> bytes:
    peer.plain.shutdown(socket.SHUT_WR)
    return b""


def expect(peer: Peer, event: object) -> None:
    """The next recv() is the event."""
    if event in (close_notify, fin):
        assert peer.sock.recv(100) == b""
        assert peer.sock.recv(100) == b"", "the end of the stream is not for one call only"
        return
    with pytest.raises(standard.SSLError) as caught:
        peer.sock.recv(100)
    reason = {
        fatal_alert: ("ALERT_BAD_RECORD_MAC", "ALERT_UNEXPECTED_MESSAGE"),
        broken_record: ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "RECORD_LAYER_FAILURE"),
        plain_text: ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "BAD_RECORD_TYPE", "RECORD_LAYER_FAILURE"),
    }[event]
    assert any(part in caught.value.reason for part in reason), caught.value


@pytest.fixture(params=[close_notify, fatal_alert, broken_record, plain_text, fin], ids=lambda event: event.__name__)
def event(request):
    return request.param


@pytest.fixture(params=[4, 5, 100, 65536], ids=["short", "exact", "room", "plenty"])
def read_size(request):
    """Of "hello"."""
    return request.param


def deliver_with_event(peer: Peer, data: bytes, event) -> None:
    raw = peer.encrypt(data)
    if event is fin:
        peer.deliver(raw)
        event(peer)
    else:
        peer.deliver(raw + event(peer))


def test_data_is_delivered_before_what_follows_it(peer, event, read_size):
    deliver_with_event(peer, b"hello", event)
    received = b""
    while len(received) < 5:
        received += peer.sock.recv(read_size)
        assert peer.sock.pending() or readable(peer.sock)
    assert received == b"hello"
    expect(peer, event)


def test_a_send_in_between_does_not_consume_the_event(peer, event, read_size):
    """A server sends a response, then waits for the next request."""
    deliver_with_event(peer, b"hello", event)
    received = b""
    while len(received) < 5:
        received += peer.sock.recv(read_size)
    if event in (close_notify, fin):
        assert peer.sock.send(b"answer") == 6, "the peer has ended its own side only"
    else:
        with contextlib.suppress(standard.SSLError):
            peer.sock.send(b"answer")
    assert readable(peer.sock) or peer.sock.pending()
    expect(peer, event)


def test_the_event_alone_wakes_select(peer, event):
    deliver_with_event(peer, b"hello", event)
    assert peer.sock.recv(5) == b"hello"
    assert readable(peer.sock)
    expect(peer, event)


def test_an_event_that_was_peeked_at_is_reported_until_it_is_read(peer, event):
    deliver_with_event(peer, b"hello", event)
    assert peer.sock.recv(5) == b"hello"
    for _ in range(2):
        assert readable(peer.sock)
        with contextlib.suppress(standard.SSLError):
            assert peer.sock.peek(100) == b""
    with contextlib.suppress(standard.SSLError):
        peer.sock.send(b"answer")
    assert readable(peer.sock)
    expect(peer, event)
    if event not in (fin, plain_text):  # which stay
        assert not readable(peer.sock)


def test_many_records_and_then_the_event(peer, event):
    raw = b"".join(peer.encrypt(b"%3d" % number) for number in range(20))
    if event is fin:
        peer.deliver(raw)
        event(peer)
    else:
        peer.deliver(raw + event(peer))
    received = b""
    while len(received) < 60:
        received += peer.sock.recv(7)
        assert peer.sock.pending() or readable(peer.sock)
    assert received == b"".join(b"%3d" % number for number in range(20))
    expect(peer, event)


# --- What follows close_notify ----------------------------------------------------------------------------------------


def take_plain(sock: socket.socket, size: int) -> bytes:
    """Everything, and a little more if there is more."""
    taken = b""
    while (getattr(sock, "pending", int)() or readable(sock)) and (data := sock.recv(size + 1)):
        taken += data
    return taken


@many
@given(after=st.binary(min_size=1, max_size=3000), room=st.sampled_from([1, 5, 6, 100, 65536]), asks=st.booleans())
def test_data_after_close_notify_is_read_from_the_unwrapped_socket(
    client_context, server_context, transport, after, room, asks
):
    """The command channel of FTP, after CCC."""
    with Peer(client_context, server_context, transport=transport) as peer:
        peer.deliver(peer.encrypt(b"hello") + peer.close_notify() + after)
        received = b""
        while len(received) < 5:
            received += peer.sock.recv(room)
        assert received == b"hello"
        if asks:
            assert peer.sock.recv(room) == b""
        peer.sock = peer.sock.unwrap()
        assert take_plain(peer.sock, len(after)) == after


def test_data_after_close_notify_is_kept_for_a_delayed_unwrap(peer):
    assert attempt(peer.sock.unwrap) is WANT
    peer.deliver(peer.close_notify() + b"plain")
    peer.sock = peer.sock.unwrap()
    assert take_plain(peer.sock, 5) == b"plain"


def test_data_after_a_close_notify_that_was_peeked_at_is_that_of_the_unwrapped_socket(peer):
    peer.deliver(peer.close_notify() + b"plain")
    assert peer.sock.peek(100) == b""
    peer.sock = peer.sock.unwrap()
    assert take_plain(peer.sock, 5) == b"plain"
    assert not readable(peer.sock)


def test_unwrap_does_not_consume_plaintext_that_looks_like_a_record(peer):
    """Even TLS inside what was TLS."""
    looks = b"\x17\x03\x03\x40\x00" + bytes(2000)
    peer.deliver(peer.encrypt(b"hello") + peer.close_notify() + looks)
    assert peer.sock.recv(65536) == b"hello"
    assert peer.sock.recv(65536) == b""
    peer.sock = peer.sock.unwrap()
    assert take_plain(peer.sock, len(looks)) == looks
