"""peek(), sendv() and close_notify(): verbs that `ssl` has not."""

from __future__ import annotations

import contextlib
import os
import select
import ssl as standard
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.core.peer import Peer, in_kernel, readable
from tests.kit.ids import stable
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import BLOCKING, MODES, WITH_TIMEOUT, driven, receive_exactly, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import Task

RECORD = 16384
BROKEN = r"BAD_RECORD_MAC|RECORD_LAYER_FAILURE"  # since OpenSSL 3.2 the latter


class Ends(NamedTuple):
    """Both ends of a connection; `carry` brings over what is in flight between objects."""

    client: Any
    server: Any
    carry: Callable[[], Any]

    def do(self, end: Any, verb: Callable[..., Any], *args: Any) -> Any:
        """Once everything that is in flight has arrived."""
        self.carry()
        if isinstance(end, standard.SSLObject):
            return attempt(verb, *args)
        return driven(end, verb, *args)


@pytest.fixture(params=["object", *(mode.name for mode in MODES)])
def ends(request: pytest.FixtureRequest, client_context: Any, server_context: Any) -> Iterator[Ends]:
    """After their handshake, of each kind that a program can have."""
    if request.param == "object":
        pair = Pair(client_context, server_context)
        pair.handshake()
        yield Ends(pair.client, pair.server, pair.pump)
        return
    mode = next(mode for mode in MODES if mode.name == request.param)
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        yield Ends(client, server, lambda: None)


@pytest.fixture
def peer(client_context: Any, server_context: Any) -> Iterator[Peer]:
    with Peer(client_context, server_context) as peer:
        yield peer


# --- peek() -----------------------------------------------------------------------------------------------------------


def test_what_was_peeked_at_is_read_again(ends: Ends) -> None:
    ends.server.write(b"hello world")
    assert ends.do(ends.client, ends.client.peek, 5) == b"hello"
    assert ends.do(ends.client, ends.client.peek) == b"hello world"
    assert ends.client.pending() == 11
    assert ends.do(ends.client, ends.client.read, 6) == b"hello "
    assert ends.do(ends.client, ends.client.peek, 100) == b"world"
    assert ends.do(ends.client, ends.client.read, 100) == b"world"
    assert ends.client.pending() == 0


def test_it_sees_one_record_at_most(peer: Peer) -> None:
    peer.deliver(peer.encrypt(b"first") + peer.encrypt(b"second"))
    assert peer.sock.peek(100) == b"first"
    assert peer.sock.peek(2**31) == b"first"
    assert peer.sock.recv(100) == b"firstsecond"
    full = os.urandom(RECORD)
    peer.deliver(peer.encrypt(full))
    assert peer.sock.peek(2**40) == full


def test_of_no_bytes_there_are_none(ends: Ends) -> None:
    ends.server.write(b"data")
    assert ends.do(ends.client, ends.client.peek, 0) == b""
    assert ends.do(ends.client, ends.client.read, 10) == b"data"


def test_a_wait_for_the_first_byte_is_as_that_of_a_read(
    client_context: Any, server_context: Any, deadline: Any
) -> None:
    with tls_sockets(client_context, server_context, mode=BLOCKING) as (client, server):
        peeking = Task(client.peek)
        server.sendall(b"data")
        assert peeking.result() == b"data"
        assert client.recv(10) == b"data"
        client.settimeout(0.05)
        with deadline():
            client.peek()
        client.settimeout(0)
        with pytest.raises(tls.SSLWantReadError):
            client.peek()
        server.sendall(b"more")
        assert driven(client, client.peek) == driven(client, client.recv) == b"more"


def test_select_tells_of_what_was_only_peeked_at(peer: Peer) -> None:
    """Or pending() does."""
    peer.deliver(peer.encrypt(b"one") + peer.encrypt(b"two"))
    while peer.sock.pending() or readable(peer.sock):
        data = peer.sock.peek(2)
        assert data == peer.sock.recv(len(data))
    assert in_kernel(peer.sock) == 0


def test_the_peers_end_is_peeked_at_and_stays(ends: Ends) -> None:
    ends.server.write(b"last")
    ends.server.close_notify()
    assert ends.do(ends.client, ends.client.peek) == b"last"
    assert ends.do(ends.client, ends.client.read) == b"last"
    for verb in (ends.client.peek, ends.client.peek, ends.client.read, ends.client.peek):
        assert ends.do(ends.client, verb) == b""


@pytest.mark.parametrize("suppress", [True, False])
def test_an_end_without_close_notify_is_what_it_is_to_a_read(
    client_context: Any, server_context: Any, suppress: bool
) -> None:
    with Peer(client_context, server_context, suppress_ragged_eofs=suppress) as peer:
        peer.plain.close()
        peer.sock.settimeout(WITH_TIMEOUT.timeout)
        for verb in (peer.sock.peek, peer.sock.recv, peer.sock.peek):
            if suppress:
                assert verb() == b""
            else:
                with pytest.raises(tls.SSLEOFError):
                    verb()
        assert peer.sock.truncated


def test_a_failure_that_was_peeked_at_is_that_of_the_next_read(peer: Peer) -> None:
    good, damaged = peer.encrypt(b"good"), bytearray(peer.encrypt(b"data"))
    damaged[-1] ^= 1
    peer.deliver(good + bytes(damaged))
    assert peer.sock.peek(100) == b"good"
    assert peer.sock.recv(100) == b"good"
    for verb in (peer.sock.peek, peer.sock.peek, peer.sock.recv):
        with pytest.raises(tls.SSLError, match=BROKEN) as raised:
            verb(100)
        assert raised.value.alert == standard.AlertDescription.ALERT_DESCRIPTION_BAD_RECORD_MAC
        assert raised.value.alert_sent


def test_a_failure_that_a_peek_met_first_is_that_of_the_next_read(pair: Pair) -> None:
    pair.handshake()
    pair.server.write(b"data")
    pair.pump_altered(lambda record: record.damaged())
    for verb in (pair.client.peek, pair.client.read):
        with pytest.raises(tls.SSLError, match=BROKEN):
            verb()


def test_a_peek_shakes_hands_first(pair: Pair) -> None:
    assert attempt(pair.client.peek) is WANT
    assert pair.to_server.outgoing.pending
    pair.handshake()


# --- sendv() ----------------------------------------------------------------------------------------------------------


def test_several_buffers_arrive_as_one(ends: Ends) -> None:
    buffers = [b"one", bytearray(b" two"), b"", memoryview(b" three and more")[:6], b""]
    assert ends.client.sendv(buffers) == 13
    assert ends.client.sendv(iter([b" four"])) == 5
    received = b""
    while len(received) < 18:
        received += ends.do(ends.server, ends.server.read, 100)
    assert received == b"one two three four"


@pytest.mark.parametrize("nothing", [[], [b""], (b"", bytearray())])
def test_of_nothing_nothing_is_sent(ends: Ends, nothing: Any) -> None:
    before = ends.client.connection_info().records_out
    assert ends.client.sendv(nothing) == 0
    assert ends.client.connection_info().records_out == before


def test_small_buffers_share_records_and_a_system_call(peer: Peer) -> None:
    before = peer.sock.connection_info()
    data = [os.urandom(size) for size in (1, 100, 0, 5000, 20_000, 1, 16_384, 7)]
    assert peer.sock.sendv(data) == sum(map(len, data))
    after = peer.sock.connection_info()
    assert after.records_out - before.records_out == 3
    assert after.system_calls - before.system_calls == 1
    peer.drain()
    assert peer.decrypted() == b"".join(data)


@pytest.mark.parametrize("size", [1, 1000, RECORD - 1, RECORD, RECORD + 1, 100_000, 1 << 20])
def test_buffers_of_any_size_arrive_whole(client_context: Any, server_context: Any, size: int) -> None:
    data = os.urandom(2 << 20)
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT) as (client, server):
        receiving = Task(receive_exactly, server, len(data))
        assert client.sendv([data[at : at + size] for at in range(0, len(data), size)]) == len(data)
        assert receiving.result() == data


def cut(data: bytes, size: int) -> list[memoryview]:
    view = memoryview(data)
    return [view[at : at + size] for at in range(0, len(view), size)]


@pytest.mark.parametrize("others", [False, True], ids=["sendv", "send-too"])
def test_a_retry_may_divide_the_same_bytes_differently(peer: Peer, others: bool) -> None:
    data, sent, wants, received = os.urandom(6 << 20), 0, 0, b""
    sizes = [70_001, 333, 1 << 20, 16_000]
    while sent < len(data):
        try:
            if others and wants % 2:
                sent += peer.sock.send(data[sent:])
            else:
                sent += peer.sock.sendv(cut(data[sent:], sizes[wants % 4]))
        except tls.SSLWantWriteError:
            wants += 1
            peer.drain(300_001)
            received += peer.decrypted()
    while peer.drain():
        received += peer.decrypted()
    assert received == data
    assert wants > 1


def test_a_retry_of_other_bytes_is_refused_and_the_connection_goes_on(peer: Peer) -> None:
    sent = fill_up(lambda: peer.sock.sendv([bytes(50_000)] * 20))
    with pytest.raises(tls.SSLError, match="BAD_WRITE_RETRY"):
        peer.sock.sendv([b"\0" * 10, b"other", bytes(1 << 20)])
    received, again = b"", 0
    while not again:
        peer.drain()
        received += peer.decrypted()
        with contextlib.suppress(tls.SSLWantWriteError):
            again = peer.sock.sendv([bytes(1000)] * 200)
    while peer.drain():
        received += peer.decrypted()
    assert received == bytes(sent + again)


def fill_up(send: Callable[[], int]) -> int:
    """Sends until the kernel accepts no more; returns how much it has accepted."""
    sent = 0
    while True:
        try:
            sent += send()
        except tls.SSLWantWriteError:
            return sent


def failing() -> Iterator[bytes]:
    yield b"data"
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("wrong", "error", "sentence"),
    [
        (None, TypeError, "not iterable"),
        (1, TypeError, "not iterable"),
        (b"data", TypeError, "a bytes-like object is required, not 'int'"),
        ("data", TypeError, "a bytes-like object is required, not 'str'"),
        ([b"data", "text"], TypeError, "a bytes-like object is required, not 'str'"),
        ([b"data", None], TypeError, "a bytes-like object is required, not 'NoneType'"),
        ([b"data", memoryview(b"data")[::2]], BufferError, "contiguous"),
        (failing, ZeroDivisionError, "^$"),
    ],
    ids=stable,
)
def test_other_things_are_refused_and_nothing_is_sent(ends: Ends, wrong: Any, error: Any, sentence: str) -> None:
    before = ends.client.connection_info().records_out
    with pytest.raises(error, match=sentence):
        ends.client.sendv(wrong() if callable(wrong) else wrong)
    assert ends.client.connection_info().records_out == before
    ends.client.sendv([b"still ", b"there"])
    assert ends.do(ends.server, ends.server.read, 100) == b"still there"


def test_a_buffer_is_free_again_after_the_call(ends: Ends) -> None:
    buffer = bytearray(b"data")
    ends.client.sendv([buffer])
    with pytest.raises(TypeError):
        ends.client.sendv([buffer, 1])
    buffer.clear()


# --- close_notify() ---------------------------------------------------------------------------------------------------


def test_the_other_direction_goes_on_to_its_end(ends: Ends) -> None:
    ends.client.write(b"request")
    ends.client.close_notify()
    assert ends.do(ends.server, ends.server.read) == b"request"
    assert ends.do(ends.server, ends.server.read) == b""
    ends.server.write(b"answer")
    ends.server.close_notify()
    assert ends.do(ends.client, ends.client.read) == b"answer"
    assert ends.do(ends.client, ends.client.read) == b""
    assert ends.do(ends.client, ends.client.read) == b""
    assert ends.client.truncated is ends.server.truncated is False


def test_nothing_can_be_sent_after_it(ends: Ends) -> None:
    ends.client.close_notify()
    ends.client.close_notify()
    for send in (ends.client.write, lambda data: ends.client.sendv([data])):
        with pytest.raises(tls.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
            send(b"more")
    assert ends.do(ends.server, ends.server.read) == b""


def test_it_leaves_tcp_open_for_plain_text(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT) as (client, server):
        client.close_notify()
        server.close_notify()
        client.unwrap()
        server.unwrap()
        client.sendall(b"plain")
        assert receive_exactly(server, 5) == b"plain"
        server.sendall(b"text")
        assert receive_exactly(client, 4) == b"text"


def test_it_waits_for_no_answer(peer: Peer) -> None:
    peer.sock.close_notify()
    peer.drain()
    assert not peer.at_eof
    assert attempt(peer.tls.read) == b""


def test_it_comes_behind_what_the_kernel_did_not_accept(peer: Peer) -> None:
    sent = fill_up(lambda: peer.sock.send(bytes(1 << 20)))
    with pytest.raises(tls.SSLWantWriteError):
        peer.sock.close_notify()
    received = 0
    while peer.drain():
        received += len(peer.decrypted())
        if select.select([], [peer.sock], [], 0)[1]:
            peer.sock.close_notify()
    assert received >= sent
    assert attempt(peer.tls.read) == b""


def test_a_callback_of_the_connection_itself_is_refused_each(client_context: Any, server_context: Any) -> None:
    refused: list[ValueError] = []

    def call(connection: Any, *_: Any) -> None:
        for verb in (connection.peek, lambda: connection.sendv([b"x"]), connection.close_notify):
            with pytest.raises(ValueError, match="a callback cannot read, write or unwrap") as raised:
                verb()
            refused.append(raised.value)

    client_context.message_callback = call
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    assert len(refused) > 20
