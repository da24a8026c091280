"""SSLContext.metrics(): every handshake is counted once, however it ends, and so is every connection."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import math
import socket
import ssl as standard
import time
from typing import Any

import pytest

import wiretight
from tests.core.failures import FAILURES, TLS12, TLS13, is_expected, shown
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import receive_exactly, tcp_pair, tls_sockets, tls_transport, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import Task
from wiretight import HandshakeFailure, Metrics
from wiretight import asyncio as native
from wiretight._core.connection.metrics import numbers_of


def failed(context: Any) -> HandshakeFailure:
    """The one failure that it has counted, of the one handshake."""
    metrics = context.metrics()
    assert metrics.handshakes_started == 1
    assert metrics.handshakes_done == metrics.handshakes_open == metrics.connections_open == 0
    [(failure, count)] = metrics.handshakes_failed.items()
    assert count == 1
    assert not metrics.connections_failed
    return failure


def is_empty(metrics: Metrics) -> bool:
    """Apart from the dates, which are those of what is loaded."""
    new = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).metrics()
    return dataclasses.replace(metrics, certificate_expires=None, crls_expire=None) == new


# --- What succeeds ----------------------------------------------------------------------------------------------------


def test_a_handshake_is_counted_on_both_ends(client_context: Any, server_context: Any, version: Any) -> None:
    assert is_empty(client_context.metrics())
    pair = Pair(client_context, server_context)
    assert is_empty(client_context.metrics())
    pair.handshake()
    assert pair.transfer(b"data", pair.server) == b"data"
    for context, end in ((client_context, pair.client), (server_context, pair.server)):
        metrics, info = context.metrics(), end.connection_info()
        assert metrics.handshakes_started == metrics.handshakes_done == metrics.connections_open == 1
        assert metrics.handshakes_open == 0
        assert not metrics.handshakes_failed
        assert metrics.versions == {info.version: 1}
        assert metrics.ciphers == {info.cipher: 1}
        assert metrics.groups == {info.group: 1}
        assert metrics.resumptions["not_offered"] == sum(metrics.resumptions.values()) == 1
        assert (metrics.bytes_in, metrics.bytes_out) == (info.bytes_in, info.bytes_out)
        assert (metrics.records_in, metrics.records_out) == (info.records_in, info.records_out)
        assert metrics.handshake_buckets[-1] == (math.inf, 1)
        assert 0 < metrics.handshake_seconds < 3600
    assert server_context.metrics().tickets_sent == (2 if version == TLS13 else 1)
    assert client_context.metrics().tickets_sent == 0
    assert is_empty(server_context.copy().metrics())


def test_no_ticket_is_counted_where_no_key_may_encrypt(certificates: Certificates, version: Any) -> None:
    context = certificates.server_context(version)
    context.ticket_keys = tls.TicketKeys([tls.TicketKey(bytes(16), bytes(64), 0.0, 1.0e9, 3.0e9)], rotate_every=None)
    pair = Pair(certificates.client_context(version), context)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    assert not pair.client.session.has_ticket
    assert context.metrics().tickets_sent == 0


def test_a_snapshot_does_not_change(client_context: Any, server_context: Any) -> None:
    before = client_context.metrics()
    Pair(client_context, server_context).handshake()
    assert before.handshakes_started == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.handshakes_started = 1
    with pytest.raises(TypeError):
        client_context.metrics().versions["TLSv1.3"] = 7


def test_the_context_that_a_connection_was_made_with_counts(
    certificates: Certificates, client_context: Any, version: Any
) -> None:
    listening, chosen = certificates.server_context(version), certificates.server_context(version)
    listening.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    Pair(client_context, listening).handshake()
    assert listening.metrics().handshakes_done == 1
    assert is_empty(chosen.metrics())


def test_a_carrier_and_what_it_carries_count_in_their_own_contexts(
    certificates: Certificates, client_context: Any, server_context: Any
) -> None:
    outer = certificates.client_context(), certificates.server_context()
    with tls_sockets(client_context, server_context, transport=tls_transport(*outer)) as (client, server):
        client.sendall(b"hello")
        assert receive_exactly(server, 5) == b"hello"
        inside, outside = client_context.metrics(), outer[0].metrics()
        assert inside.handshakes_done == outside.handshakes_done == 1
        assert 0 < inside.bytes_out < outside.bytes_out


def test_when_what_is_loaded_ends_is_told(certificates: Certificates, server_context: Any) -> None:
    [credential] = server_context.credentials
    assert server_context.metrics().certificate_expires == credential.certificates[0].not_after.timestamp()
    assert server_context.metrics().crls_expire is None
    assert server_context.metrics().ticket_keys_expire is None
    crl = certificates.crl()
    server_context.load_crls(data=crl.pem)
    expires = server_context.metrics().crls_expire
    assert expires is not None
    assert expires > time.time()


@pytest.mark.parametrize("verb", ["read", "write", "do_handshake"])
def test_a_client_without_the_protocol_that_it_requires_has_failed(
    client_context: Any, server_context: Any, verb: str
) -> None:
    client_context.set_alpn_protocols(["h2"])
    client_context.alpn_required = True
    pair = Pair(client_context, server_context)
    call = {"read": lambda: pair.client.read(1), "write": lambda: pair.client.write(b"x")}
    for _ in range(3):
        attempt(pair.server.do_handshake)
        pair.pump()
        with contextlib.suppress(wiretight.SSLError):
            attempt(call.get(verb, pair.client.do_handshake))
        pair.pump()
    metrics = client_context.metrics()
    assert metrics.handshakes_done == 0
    assert [(failure.reason, count) for failure, count in metrics.handshakes_failed.items()] == [("alpn", 1)]


def test_alerts_that_nobody_has_registered_take_one_place(certificates: Certificates) -> None:
    """The table of what a peer can bring about has a bound: it should not fill it with numbers."""
    client_context, server_context = certificates.client_context(TLS12), certificates.server_context(TLS12)
    for number in range(1, 123):
        pair = Pair(client_context, server_context)
        attempt(pair.client.do_handshake)
        pair.pump()
        pair.to_server.incoming.write(bytes((21, 3, 3, 0, 2, 2, number)))
        for _ in range(2):
            with contextlib.suppress(wiretight.SSLError):
                attempt(pair.server.do_handshake)
        del pair
    failures = numbers_of(server_context)["failures"]
    assert sum(failures.values()) == 122
    assert len(failures) < 40


def test_when_no_ticket_key_may_encrypt_any_more_is_told(server_context: Any) -> None:
    old, new = (tls.TicketKey(bytes([number]) * 16, bytes(64), 0.0, 1e9 + number, 2e9) for number in (0, 1))
    for keys, end in (
        (tls.TicketKeys([new, old], rotate_every=None), 1e9 + 1),
        (tls.TicketKeys([old]), None),  # it makes others
        (tls.TicketKeys([old._replace(encrypt_until=math.inf, expires=math.inf)], rotate_every=None), None),
    ):
        server_context.ticket_keys = keys
        assert server_context.metrics().ticket_keys_expire == end


# --- Resumption -------------------------------------------------------------------------------------------------------


def session_of(pair: Pair) -> Any:
    pair.handshake()
    assert pair.transfer(b"!", pair.server) == b"!"
    return pair.client.session


def test_resumptions_are_counted_and_why_there_was_none(
    certificates: Certificates, client_context: Any, server_context: Any, version: Any
) -> None:
    session = session_of(Pair(client_context, server_context))
    Pair(client_context, server_context, session=session).handshake()
    for context in (client_context, server_context):
        assert context.metrics().resumptions["resumed"] == context.metrics().resumptions["not_offered"] == 1
    other = certificates.server_context(version)
    session = session_of(Pair(client_context, server_context))
    Pair(client_context, other, session=session).handshake()
    assert other.metrics().resumptions["unknown_key"] == 1
    assert client_context.metrics().resumptions["refused"] == 1


# --- What fails -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_moves_one_counter_on_each_end(certificates: Certificates, version: Any, name: str) -> None:
    make, on_client, on_server = FAILURES[name]
    client, server = make(certificates, version)
    Pair(client, server).until_error()
    for context, expected in ((client, on_client), (server, on_server)):
        assert is_expected(failed(context), expected)


def test_no_common_group_is_told_from_no_common_cipher(certificates: Certificates) -> None:
    client, server = certificates.client_context(TLS13), certificates.server_context(TLS13)
    client.set_groups("X25519")
    server.set_groups("P-384")
    Pair(client, server).until_error()
    assert shown(failed(server)) == ("group", "handshake_failure", "we", None)


def test_a_client_without_a_certificate_is_refused(certificates: Certificates, version: Any) -> None:
    """Which a client of TLS 1.3 hears when its handshake is done."""
    client, server = (
        certificates.client_context(version),
        certificates.server_context(version, client_ca=certificates.ca_file),
    )
    pair = Pair(client, server)
    pair.until_error()
    alert = "certificate_required" if version == TLS13 else "handshake_failure"
    assert shown(failed(server)) == ("no_certificate", alert, "we", None)
    if version == TLS12:
        assert shown(failed(client)) == ("refused", alert, "peer", None)
        return
    assert client.metrics().connections_open == 1
    del pair
    gc.collect()
    [(failure, count)] = client.metrics().connections_failed.items()
    assert (shown(failure), count) == (("refused", alert, "peer", None), 1)
    assert sum(client.metrics().connections_closed.values()) == client.metrics().connections_open == 0


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", "not_tls"),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "protocol"),
        (b"\x16\x03\x01\x00", "peer_gone"),
        (b"", "unheard"),
    ],
)
def test_what_comes_instead_of_a_handshake(server_context: Any, sent: bytes, expected: str) -> None:
    incoming = tls.MemoryBIO()
    server = server_context.wrap_bio(incoming, tls.MemoryBIO(), server_side=True)
    assert attempt(server.do_handshake) is WANT
    assert server_context.metrics().handshakes_open == 1
    incoming.write(sent)
    incoming.write_eof()
    with pytest.raises(standard.SSLError):
        server.do_handshake()
    assert failed(server_context).reason == expected


def test_an_alert_without_a_name_gets_none(client_context: Any) -> None:
    for number in (5, 99, 200):
        incoming = tls.MemoryBIO()
        client = client_context.wrap_bio(incoming, tls.MemoryBIO(), server_hostname=HOST)
        assert attempt(client.do_handshake) is WANT
        incoming.write(bytes([0x15, 3, 3, 0, 2, 2, number]))
        with pytest.raises(standard.SSLError):
            client.do_handshake()
    assert {shown(failure): n for failure, n in client_context.metrics().handshakes_failed.items()} == {
        ("refused", None, "peer", None): 3
    }


def test_a_timeout_counts_when_the_program_gives_up(client_context: Any) -> None:
    near, far = tcp_pair()
    with near, far:
        near.settimeout(0.02)
        sock = client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False)
        with pytest.raises(TimeoutError):
            sock.do_handshake()
        assert client_context.metrics().handshakes_open == 1
        sock.close()
        sock.close()
        assert shown(failed(client_context)) == ("timeout", None, None, None)


def test_a_handshake_that_is_tried_again_after_a_timeout_is_no_failure(
    client_context: Any, server_context: Any
) -> None:
    near, far = tcp_pair()
    near.settimeout(0.02)
    with client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        with pytest.raises(TimeoutError):
            client.do_handshake()
        client.settimeout(None)
        accepting = Task(server_context.wrap_socket, far, server_side=True)
        client.do_handshake()
        accepting.result().close()
        assert client_context.metrics().handshakes_done == client_context.metrics().handshakes_started == 1
        assert not client_context.metrics().handshakes_failed


def test_who_gives_up_amid_a_handshake_is_counted(client_context: Any, server_context: Any) -> None:
    pair = Pair(client_context, server_context)
    attempt(pair.client.do_handshake)
    pair.pump()
    attempt(pair.server.do_handshake)
    del pair
    gc.collect()
    for context in (client_context, server_context):
        assert shown(failed(context)) == ("abandoned", None, None, None)


def test_a_reset_is_a_peer_that_is_gone(client_context: Any) -> None:
    near, far = tcp_pair()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        far.close()
        with pytest.raises(OSError):  # noqa: PT011  a reset or a broken pipe, by chance
            client.do_handshake()
        assert failed(client_context).reason == "unheard"


def test_a_transport_counts_its_timeout_and_its_end(certificates: Certificates) -> None:
    client, server = certificates.client_context(), certificates.server_context()

    async def main() -> None:
        serving = await native.start_server(lambda _, writer: writer.close(), ADDRESS, 0, ssl=server)
        reader, writer = await native.open_connection(
            *serving.sockets[0].getsockname(), ssl=client, server_hostname=HOST
        )
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        serving.close()
        near, far = unix_pair()
        with far:
            near.setblocking(False)
            with pytest.raises(ConnectionAbortedError):
                await native.open_connection(sock=near, ssl=client, server_hostname=HOST, ssl_handshake_timeout=0.02)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(main())
    gc.collect()
    metrics = client.metrics()
    assert (metrics.handshakes_started, metrics.handshakes_done) == (2, 1)
    assert [shown(failure)[0] for failure in metrics.handshakes_failed] == ["timeout"]
    assert metrics.connections_closed["closed_by_peer"] == 1
    assert metrics.connections_open == server.metrics().connections_open == 0


def test_the_text_names_every_context_and_ends(client_context: Any, server_context: Any) -> None:
    Pair(client_context, server_context).handshake()
    text = wiretight.openmetrics({"out": client_context, 'in "quotes"\\\n': server_context})
    assert text.endswith("\n# EOF\n")
    assert 'wiretight_handshakes_done_total{context="out"} 1\n' in text
    assert 'wiretight_handshakes_done_total{context="in \\"quotes\\"\\\\\\n"} 1\n' in text
    assert 'wiretight_certificate_expiry_timestamp_seconds{context="out"}' not in text


@pytest.mark.parametrize(
    ("contexts", "sentence"),
    [
        ([], "needs a mapping of names to contexts, not list"),
        ({1: None}, "the name of a context must be a string, not int"),
        ({"a": standard.create_default_context()}, "'a' must be an SSLContext of wiretight, not SSLContext"),
        ({"a": None}, "'a' must be an SSLContext of wiretight, not NoneType"),
    ],
)
def test_what_is_no_context_has_no_text(contexts: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        wiretight.openmetrics(contexts)
