"""What each call gives after the stream was cut, with OP_IGNORE_UNEXPECTED_EOF: as with the standard `ssl`."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import ssl as standard
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import wiretight
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.sockets import tls_sockets, unix_pair

pytestmark = pytest.mark.skipif(
    standard.OPENSSL_VERSION_INFO[:2] != wiretight.OPENSSL_VERSION_INFO[:2],
    reason="`ssl` has another OpenSSL, with other reasons",
)

CALLS: dict[str, Callable[[Any], Any]] = {
    "read": lambda it: it.read(10),
    "read_into": lambda it: it.read(10, bytearray(10)),
    "write": lambda it: it.write(b"x"),
    "write_nothing": lambda it: it.write(b""),
    "do_handshake": lambda it: it.do_handshake(),
    "unwrap": lambda it: it.unwrap() and None,
    "pending": lambda it: it.pending(),
    "version": lambda it: it.version(),
}


def outcome(call: Callable[[Any], Any], it: Any) -> Any:
    try:
        return call(it)
    except (OSError, ValueError) as error:
        return type(error).__name__, getattr(error, "reason", None)


def contexts(module: ModuleType, certificates: Certificates, version: Any) -> tuple[Any, Any]:
    client = certificates.client_context(version, module=module)
    client.options |= wiretight.OP_IGNORE_UNEXPECTED_EOF  # Python 3.10's `ssl` has no name for it
    return client, certificates.server_context(version, module=module)


@contextlib.contextmanager
def cut_object(*made: Any) -> Iterator[Any]:
    """Data, and an end without close_notify behind it."""
    pair = Pair(*made)
    pair.handshake()
    pair.server.write(b"data")
    pair.pump()
    pair.to_client.incoming.write_eof()
    assert pair.client.read(4) == b"data"
    yield pair.client


@contextlib.contextmanager
def cut_socket(*made: Any) -> Iterator[Any]:
    """The same; the other direction goes on."""
    with tls_sockets(*made, transport=unix_pair, suppress_ragged_eofs=False) as (client, server):
        server.sendall(b"data")
        with socket.socket(fileno=os.dup(server.fileno())) as plain:
            plain.shutdown(socket.SHUT_WR)
        client.settimeout(0)
        assert client.recv(4) == b"data"
        yield client


@contextlib.contextmanager
def abandoned_socket(*made: Any) -> Iterator[Any]:
    """The same, read to its end, and nobody is there any more."""
    with tls_sockets(*made, transport=unix_pair, suppress_ragged_eofs=False) as (client, server):
        server.sendall(b"data")
        socket.socket(fileno=server.detach()).close()
        client.settimeout(0)
        assert client.recv(4) == b"data"
        assert not client.recv(4)
        yield client


def is_comparable(place, first, second):
    """Not do_handshake() after unwrap(), where `ssl` fails with an AttributeError of its own; and on an abandoned
    socket not the calls in which `ssl` speaks of the record of an earlier write that was refused.
    """
    if {first, second} == {"unwrap", "do_handshake"}:
        return False
    return (
        first == second
        or place is not abandoned_socket
        or not {"write_nothing", "do_handshake", "unwrap"} & {first, second}
    )


CASES = [
    pytest.param(place, first, second, id=f"{place.__name__}-{first}-{second}")
    for place in (cut_object, cut_socket, abandoned_socket)
    for first, second in itertools.product(CALLS, CALLS)
    if is_comparable(place, first, second)
]


@pytest.mark.parametrize(("place", "first", "second"), CASES)
def test_calls_after_a_cut_that_is_taken_for_an_end(certificates, version, place, first, second):
    seen = {}
    for module in (standard, wiretight):
        with place(*contexts(module, certificates, version)) as it:
            seen[module.__name__] = [outcome(CALLS[name], it) for name in (first, second, first)]
    if place is abandoned_socket:
        # docs/differences.md, "ConnectionResetError": until 3.13.1 `ssl` takes a refused write for the peer's end,
        # and after that repeats it in the next read; here the peer's end stays what it was.
        end = {"read": b"", "read_into": 0}
        for at, name in enumerate((first, second, first)):
            if seen["ssl"][at] == ("SSLZeroReturnError", None):
                seen["ssl"][at] = ("BrokenPipeError", None)
            if seen["ssl"][at] == ("BrokenPipeError", None):
                seen["ssl"][at] = end.get(name, seen["ssl"][at])
    assert seen["wiretight"] == seen["ssl"]


@pytest.mark.parametrize("place", [cut_object, cut_socket], ids=lambda place: place.__name__)
def test_a_cut_that_is_taken_for_an_end_is_told(certificates, version, place):
    with place(*contexts(wiretight, certificates, version)) as it:
        assert not it.truncated
        outcome(CALLS["read"], it)
        assert it.truncated
