"""Foreign entries on OpenSSL's error queue are not our errors."""

from __future__ import annotations

import ctypes
import ssl as standard
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit.pair import attempt
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


def test_foreign_errors_do_not_change_how_a_stream_ends(pair, litter):
    pair.handshake()
    pair.to_client.incoming.write_eof()
    with pytest.raises(standard.SSLEOFError):
        littered(litter, pair.client.read)


def test_foreign_errors_are_not_failures_of_a_context(certificates, litter):
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


def test_foreign_errors_are_not_failures_of_a_getter(pair, litter):
    pair.handshake()
    for question in (pair.client.getpeercert, pair.client.cipher, pair.client.pending, pair.client.version):
        litter()
        question()
    litter()
    assert pair.client.session is not None


def test_our_failures_leave_nothing_on_the_error_queue(certificates, pair, queue):
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
