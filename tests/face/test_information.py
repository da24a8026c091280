"""What a connection tells of itself in one object, and what a context's callbacks are told of its connections."""

from __future__ import annotations

import dataclasses
import errno
import gc
import os
import ssl as standard
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair, attempt
from tests.kit.sockets import MODES, tcp_pair, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import Task
from wiretight._core.base.tables import FEATURES

TLS12 = standard.TLSVersion.TLSv1_2
COUNTERS = ("bytes_in", "bytes_out", "records_in", "records_out", "system_calls")


@pytest.fixture(params=["object", *(mode.name for mode in MODES)])
def ends(request: pytest.FixtureRequest, certificates: Certificates, version: Any) -> Iterator[tuple[Any, Any]]:
    """(client, server) after their handshake, of each kind that a program can have."""
    contexts = certificates.client_context(version, alpn=["h2"]), certificates.server_context(version, alpn=["h2"])
    contexts[1].load_verify_locations(certificates.ca_file)
    contexts[1].verify_mode = tls.CERT_REQUIRED
    contexts[0].load_cert_chain(*certificates.client)
    if request.param == "object":
        pair = Pair(*contexts)
        pair.handshake()
        yield pair.client, pair.server
        return
    with tls_sockets(*contexts, mode=next(mode for mode in MODES if mode.name == request.param)) as sockets:
        yield sockets


# --- connection_info() ------------------------------------------------------------------------------------------------


def test_both_ends_tell_of_the_same_agreement(ends: tuple[Any, Any], version: Any) -> None:
    client, server = (end.connection_info() for end in ends)
    assert (client.server_side, client.server_hostname) == (False, HOST)
    assert (server.server_side, server.server_hostname) == (True, None)
    agreed = {field.name for field in dataclasses.fields(client)} - {"server_side", "server_hostname", *COUNTERS}
    assert {name: getattr(client, name) for name in agreed} == {name: getattr(server, name) for name in agreed}
    assert client.version == version.name.replace("_", ".")
    assert (client.cipher, client.cipher_bits) == (ends[0].cipher()[0], ends[0].cipher()[2])
    assert client.group == ends[0].group() is not None
    assert client.alpn_protocol == "h2"
    assert client.session_reused is False


def test_the_signatures_are_told_where_openssl_tells_them(ends: tuple[Any, Any]) -> None:
    told = [(info.client_signature, info.server_signature) for info in (end.connection_info() for end in ends)]
    if not FEATURES["HAS_SIGALG_NAMES"]:
        assert told == [(None, None)] * 2
    else:
        assert told == [(end.client_sigalg(), end.server_sigalg()) for end in ends]
        assert all(name for pair in told for name in pair)


def test_it_counts_what_has_been_moved(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context) as (client, server):
        before = client.connection_info()
        assert before.bytes_out == server.connection_info().bytes_in
        client.sendall(bytes(20_000))
        after = client.connection_info()
        assert after.bytes_out - before.bytes_out > 20_000
        assert after.records_out - before.records_out == 2
        assert after.system_calls - before.system_calls == 1
        assert (after.bytes_in, after.records_in) == (before.bytes_in, before.records_in)


def test_an_object_makes_no_system_calls(pair: Pair) -> None:
    pair.handshake()
    info = pair.client.connection_info()
    assert info.system_calls == 0
    assert info.bytes_in > 0 < info.bytes_out


def test_it_is_of_one_moment_and_cannot_be_changed(pair: Pair) -> None:
    early = pair.client.connection_info()
    assert (early.version, early.cipher, early.group, early.alpn_protocol) == (None,) * 4
    assert [getattr(early, name) for name in COUNTERS] == [0] * 5
    pair.handshake()
    assert early.version is None
    assert early != pair.client.connection_info() == pair.client.connection_info()
    assert isinstance(early, tls.ConnectionInfo)
    with pytest.raises(dataclasses.FrozenInstanceError):
        early.version = "TLSv1.3"


def test_a_resumed_session_is_told_of(certificates: Certificates, version: Any) -> None:
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    first = Pair(client_context, server_context)
    first.handshake()
    first.transfer(b"data", first.server)
    first.close()
    second = Pair(client_context, server_context, session=first.client.session)
    second.handshake()
    assert [end.connection_info().session_reused for end in (second.client, second.server)] == [True, True]


# --- keylog_callback --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_callback_gets_the_lines_of_the_file(
    certificates: Certificates, version: Any, tmp_path: Path, side: str
) -> None:
    contexts = {"client": certificates.client_context(version), "server": certificates.server_context(version)}
    told: list[tuple[Any, str]] = []
    contexts[side].keylog_callback = lambda *call: told.append(call)
    contexts[side].keylog_filename = tmp_path / "keys"
    pair = Pair(contexts["client"], contexts["server"])
    pair.handshake()
    assert {id(connection) for connection, _ in told} == {id(getattr(pair, side))}
    lines = [line for line in (tmp_path / "keys").read_text().splitlines() if not line.startswith("#")]
    assert [line for _, line in told] == lines
    assert all(type(line) is str and len(line.split()) == 3 for line in lines)
    labels = {line.split()[0] for line in lines}
    assert ("CLIENT_RANDOM" if version == TLS12 else "SERVER_HANDSHAKE_TRAFFIC_SECRET") in labels


def test_both_ends_are_told_of_the_same_secrets(client_context: Any, server_context: Any) -> None:
    told: dict[bool, set[str]] = {True: set(), False: set()}
    for context in (client_context, server_context):
        context.keylog_callback = lambda connection, line: told[connection.server_side].add(line)
    with tls_sockets(client_context, server_context):
        assert told[True] == told[False] != set()


def test_what_it_raises_ends_the_handshake(client_context: Any, server_context: Any) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    client_context.keylog_callback = fail
    with pytest.raises(ZeroDivisionError):
        Pair(client_context, server_context).handshake()


def test_none_ends_it(client_context: Any, server_context: Any) -> None:
    told: list[Any] = []
    assert client_context.keylog_callback is client_context.message_callback is None
    client_context.keylog_callback = client_context.message_callback = lambda *call: told.append(call)
    client_context.keylog_callback = client_context.message_callback = None
    Pair(client_context, server_context).handshake()
    assert not told
    assert client_context.keylog_callback is client_context.message_callback is None


def test_a_connection_keeps_the_callback_that_it_was_made_with(client_context: Any, server_context: Any) -> None:
    first: list[Any] = []
    second: list[Any] = []
    client_context.keylog_callback = lambda *call: first.append(call)
    pair = Pair(client_context, server_context)
    client_context.keylog_callback = lambda *call: second.append(call)
    pair.handshake()
    assert first
    assert not second
    Pair(client_context, server_context).handshake()
    assert second


def test_a_chosen_context_has_a_callback_of_its_own(certificates: Certificates, version: Any) -> None:
    told: list[str] = []
    outer, inner = certificates.server_context(version), certificates.server_context(version)
    outer.keylog_callback = lambda *_: told.append("outer")
    inner.keylog_callback = lambda *_: told.append("inner")
    outer.sni_callback = lambda side, *_: setattr(side, "context", inner)
    Pair(certificates.client_context(version), outer).handshake()
    assert set(told) == {"inner"}


def test_it_may_ask_the_connection_and_no_more(client_context: Any, server_context: Any) -> None:
    refused: list[ValueError] = []

    def ask(connection: Any, _: str) -> None:
        connection.connection_info()
        for verb in (connection.read, lambda: connection.write(b"x"), connection.unwrap):
            with pytest.raises(ValueError, match="a callback cannot read, write or unwrap") as raised:
                verb()
            refused.append(raised.value)

    client_context.keylog_callback = ask
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    assert len(refused) >= 3


@pytest.mark.parametrize("kind", ["keylog_callback", "message_callback"])
@pytest.mark.parametrize("abandon", [lambda it: it.close(), lambda it: os.close(it.detach())], ids=["close", "detach"])
def test_it_may_abandon_the_connection_and_the_call_fails(
    client_context: Any, server_context: Any, kind: str, abandon: Any
) -> None:
    told: list[Any] = []

    def call(connection: Any, *_: Any) -> None:
        if not told:
            told.append(connection)
            abandon(connection)

    setattr(client_context, kind, call)
    near, far = tcp_pair()
    server = server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    with server, client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        serving = Task(server.do_handshake)
        with pytest.raises(OSError, match="Bad file descriptor") as raised:
            client.do_handshake()
        assert raised.value.errno == errno.EBADF
        assert told == [client]
        assert client.fileno() == -1
        with pytest.raises(OSError, match=r"."):
            serving.result()


def test_a_connection_that_nobody_holds_is_not_passed_on(client_context: Any, server_context: Any) -> None:
    told: list[Any] = []
    client_context.keylog_callback = lambda *call: told.append(call)
    pair = Pair(client_context, server_context)
    low = pair.client._sslobj
    attempt(low.do_handshake)
    pair.pump()
    attempt(pair.server.do_handshake)
    pair.pump()
    pair.client = None
    pair.to_client.receiver = None
    gc.collect()
    attempt(low.do_handshake)
    assert not told


# --- message_callback -------------------------------------------------------------------------------------------------


def test_each_message_is_told_to_both_ends(client_context: Any, server_context: Any) -> None:
    told: dict[str, list[Any]] = {"read": [], "write": []}

    def note(_: Any, direction: str, __: Any, content: Any, kind: Any, data: bytes) -> None:
        if content != 0x100 and getattr(content, "name", "") == "HANDSHAKE":
            told[direction].append((kind.name, data))

    client_context.message_callback = note
    assert client_context._msg_callback is client_context.message_callback is note
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert told["write"][0][0] == "CLIENT_HELLO"
    assert told["read"][0][0] == "SERVER_HELLO"
    assert all(type(data) is bytes for calls in told.values() for _, data in calls)
