"""What is nobody's error stays nobody's error, and a callback cannot break the connection that called it."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import ssl as standard
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit.certificates import HOST
from tests.kit.deliveries import shut
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import unix_pair
from tests.kit.subject import tls
from tests.kit.threads import Task
from wiretight._core.base import tables

# --- The thread's error queue, shared with everybody who uses the same OpenSSL ----------------------------------------

SYSTEM, SSL = 2, 20


class Queue:
    """OpenSSL's error queue of this thread, as another user of wiretight's OpenSSL has it: where there can be one."""

    def __init__(self) -> None:
        if tables.OPENSSL_STATIC:
            pytest.skip("wiretight has an OpenSSL of its own, whose error queue nobody else can reach")
        self.openssl = ctypes.CDLL(tables.__file__)  # finds the symbols of the libraries that it was linked with
        self.openssl.ERR_peek_error.restype = ctypes.c_ulong

    def leave(self, library: int, reason: int) -> None:
        self.openssl.ERR_new()
        self.openssl.ERR_set_debug(b"somebody.c", 1, b"else")
        self.openssl.ERR_set_error(library, reason, None)

    def is_empty(self) -> bool:
        return self.openssl.ERR_peek_error() == 0


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = Queue()
    yield queue
    queue.openssl.ERR_clear_error()


# What a connection takes for an end, for a failure of the system, of the peer, of the program.
LEFT_BEHIND = [(SSL, 294), (SYSTEM, 104), (SSL, 134), (SSL, 127), (SSL, 1)]


@pytest.fixture(
    params=LEFT_BEHIND,
    ids=["unexpected-eof", "connection-reset", "certificate-verify-failed", "bad-write-retry", "unknown"],
)
def litter(request: pytest.FixtureRequest, queue: Queue) -> Callable[[], None]:
    """Leaves two entries in the queue."""

    def leave() -> None:
        queue.leave(*request.param)
        queue.leave(*request.param)

    return leave


def littered(litter: Callable[[], None], operation: Callable[..., Any], *args: Any) -> Any:
    litter()
    return attempt(operation, *args)


def test_litter_is_no_failure_of_a_handshake(pair, litter):
    unfinished = [pair.client, pair.server]
    while unfinished:
        unfinished = [side for side in unfinished if littered(litter, side.do_handshake) is WANT]
        pair.pump()


def test_litter_is_no_failure_of_a_read(pair, litter):
    pair.handshake()
    assert littered(litter, pair.client.read) is WANT
    pair.server.write(b"hello")
    pair.pump()
    assert littered(litter, pair.client.read, 2) == b"he"
    assert littered(litter, pair.client.read) == b"llo"
    assert attempt(pair.server.unwrap) is WANT
    pair.pump()
    assert littered(litter, pair.client.read) == b""


def test_litter_is_no_failure_of_a_write(pair, litter):
    pair.handshake()
    assert littered(litter, pair.client.write, b"hello") == 5
    pair.pump()
    assert pair.server.read() == b"hello"


def test_litter_is_no_failure_of_an_unwrap(pair, litter):
    pair.handshake()
    assert littered(litter, pair.client.unwrap) is WANT
    pair.pump()
    assert littered(litter, pair.server.unwrap) in (None, WANT)
    pair.pump()
    assert littered(litter, pair.client.unwrap) is None


def test_litter_is_no_failure_of_a_socket(peer, litter):
    assert littered(litter, peer.sock.recv, 10) is WANT
    peer.deliver(peer.encrypt(b"hello"))
    assert littered(litter, peer.sock.recv, 10) == b"hello"
    assert littered(litter, peer.sock.send, b"answer") == 6
    assert littered(litter, peer.sock.unwrap) is WANT
    peer.deliver(peer.close_notify())
    assert littered(litter, peer.sock.unwrap) is peer.sock


def test_litter_does_not_change_what_a_failure_is(pair, litter):
    pair.handshake()
    pair.server.write(b"hello")
    pair.pump_altered(lambda record: record.damaged())
    with pytest.raises(standard.SSLError, match=r"(?i)bad.record.mac|record.layer.failure"):
        littered(litter, pair.client.read)


def test_litter_does_not_change_what_an_end_is(pair, litter):
    pair.handshake()
    pair.to_client.incoming.write_eof()
    with pytest.raises(standard.SSLEOFError):
        littered(litter, pair.client.read)


def test_litter_is_no_failure_of_a_context(certificates, litter):
    litter()
    context = certificates.client_context()
    for operation, argument in (
        (context.set_ciphers, "HIGH"),
        (context.set_alpn_protocols, ["h2"]),
        (context.load_verify_locations, certificates.ca_file),
    ):
        litter()
        operation(argument)
    litter()
    context.load_cert_chain(*certificates.client)
    litter()
    assert context.get_ca_certs()


def test_litter_is_no_failure_of_a_question(pair, litter):
    pair.handshake()
    for question in (pair.client.getpeercert, pair.client.cipher, pair.client.pending, pair.client.version):
        litter()
        question()
    litter()
    assert pair.client.session is not None


def test_a_failure_of_ours_is_not_left_for_others(certificates, pair, queue):
    pair.handshake()
    pair.server.write(b"hello")
    pair.pump_altered(lambda record: record.damaged())
    with pytest.raises(standard.SSLError):
        pair.client.read()
    assert queue.is_empty()
    with pytest.raises(standard.SSLError):
        certificates.client_context().set_ciphers("no such cipher")
    assert queue.is_empty()
    with pytest.raises(standard.SSLError):
        certificates.client_context().load_cert_chain(certificates.client.chain, certificates.server.key)
    assert queue.is_empty()


# --- Callbacks that call their own connection -------------------------------------------------------------------------

VERBS: dict[str, Callable[[Any], Any]] = {
    "do_handshake": lambda side: side.do_handshake(),
    "read": lambda side: side.read(),
    "write": lambda side: side.write(b"x"),
    "unwrap": lambda side: side.unwrap(),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_an_sni_callback_cannot_drive_its_own_connection(client_context, server_context, verb):
    refused = []

    def callback(side: Any, name: str, context: Any) -> None:
        with pytest.raises(ValueError, match="return") as error:
            verb(side)
        refused.append(error.value)

    server_context.sni_callback = callback
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert len(refused) == 1
    assert pair.transfer(b"hello", pair.client) == b"hello"
    assert pair.transfer(b"hello", pair.server) == b"hello"


def test_an_sni_callback_may_ask_its_own_connection(client_context, server_context):
    answers = []

    def callback(side: Any, name: str, context: Any) -> None:
        answers.append((name, side.version(), side.pending(), side.cipher(), side.server_side, side.context is context))

    server_context.sni_callback = callback
    pair = Pair(client_context, server_context)
    pair.handshake()
    ((name, version, pending, _, server_side, same),) = answers
    assert (name, version, pending, server_side, same) == (HOST, None, 0, True, True)


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_message_callback_cannot_drive_its_own_connection(client_context, server_context, verb):
    refused = []

    def callback(side: Any, *message: Any) -> None:
        with pytest.raises(ValueError, match="return") as error:
            verb(side)
        refused.append(error.value)

    client_context._msg_callback = callback
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert refused
    assert pair.transfer(b"hello", pair.client) == b"hello"


# Its number is gone, or its peer.
ENDED = f"{os.strerror(errno.EBADF)}|{os.strerror(errno.EPIPE)}|EOF"

LETTING_GO: dict[str, Callable[[Any], Any]] = {
    "close": lambda sock: sock.close(),
    "detach": lambda sock: socket.close(sock.detach()),
    "shutdown": shut,
}


@pytest.mark.parametrize("let_go", LETTING_GO.values(), ids=LETTING_GO)
def test_a_callback_that_lets_go_of_its_own_socket_ends_the_handshake(
    client_context, server_context, transport, let_go
):
    server_context.sni_callback = lambda sock, name, context: let_go(sock)
    near, far = transport()
    with far, server_context.wrap_socket(near, server_side=True, do_handshake_on_connect=False) as server:
        client = client_context.wrap_bio(incoming := tls.MemoryBIO(), outgoing := tls.MemoryBIO(), server_hostname=HOST)
        assert attempt(client.do_handshake) is WANT
        far.sendall(outgoing.read())
        with pytest.raises(OSError, match=ENDED):
            server.do_handshake()
        with pytest.raises((OSError, ValueError)):
            server.send(b"x")
    assert not incoming.pending


def test_a_callback_that_closes_its_own_socket_leaves_the_number_alone(client_context, server_context, tmp_path):
    opened = []

    def callback(sock: Any, name: str, context: Any) -> None:
        number = sock.fileno()
        sock.close()
        opened.append((tmp_path / "foreign").open("wb", buffering=0))
        assert opened[0].fileno() == number

    server_context.sni_callback = callback
    near, far = unix_pair()
    with far, server_context.wrap_socket(near, server_side=True, do_handshake_on_connect=False) as server:
        client = client_context.wrap_bio(tls.MemoryBIO(), outgoing := tls.MemoryBIO(), server_hostname=HOST)
        assert attempt(client.do_handshake) is WANT
        far.sendall(outgoing.read())
        with pytest.raises(OSError, match=ENDED):
            server.do_handshake()
    opened[0].close()
    assert (tmp_path / "foreign").read_bytes() == b""


def test_a_callback_may_use_another_connection(certificates, version, client_context, server_context):
    other = Pair(certificates.client_context(version), certificates.server_context(version))

    def callback(side: Any, name: str, context: Any) -> None:
        other.handshake()
        assert other.transfer(b"nested", other.client) == b"nested"

    server_context.sni_callback = callback
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert pair.transfer(b"hello", pair.client) == b"hello"
    assert other.transfer(b"again", other.server) == b"again"


def test_a_callback_that_waits_for_another_thread_stops_no_other_connection(
    certificates, version, client_context, server_context
):
    other = Pair(certificates.client_context(version), certificates.server_context(version))

    def callback(side: Any, name: str, context: Any) -> None:
        Task(other.handshake).result()

    server_context.sni_callback = callback
    pair = Pair(client_context, server_context)
    pair.handshake()
