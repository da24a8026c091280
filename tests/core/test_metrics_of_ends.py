"""SSLContext.metrics(): every connection is counted once when it ends, and how."""

from __future__ import annotations

import contextlib
import gc
import ssl as standard
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.sockets import BLOCKING, handshake, receive_exactly, tcp_pair, tls_sockets, tls_transport
from tests.kit.threads import PATIENCE, Task

TLS13 = standard.TLSVersion.TLSv1_3


def ended(context: Any) -> dict[Any, int]:
    """How its connections have ended: in a way that has a name, or by a failure."""
    metrics = context.metrics()
    closed = {name: count for name, count in metrics.connections_closed.items() if count}
    return {**closed, **{(each.reason, each.alert_name): count for each, count in metrics.connections_failed.items()}}


def test_each_end_is_counted_once(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context, mode=BLOCKING) as (client, server):
        closing = Task(server.unwrap)
        client.unwrap()
        closing.result()
    for context in (client_context, server_context):
        assert context.metrics().connections_closed == {"closed_by_peer": 1, "closed": 0, "truncated": 0}
    with tls_sockets(client_context, server_context, mode=BLOCKING) as (client, server):
        server.close()
        assert client.recv(1) == b""
    assert server_context.metrics().connections_closed == {"closed_by_peer": 1, "closed": 1, "truncated": 0}
    assert client_context.metrics().connections_closed == {"closed_by_peer": 1, "closed": 0, "truncated": 1}


def test_a_broken_record_is_a_connection_that_has_failed(client_context: Any, server_context: Any) -> None:
    pair = Pair(client_context, server_context)
    pair.handshake()
    pair.server.write(b"data")
    pair.pump_altered(lambda record: record.damaged())
    with pytest.raises(standard.SSLError):
        pair.client.read()
    pair.pump()
    with pytest.raises(standard.SSLError):
        pair.server.read()
    del pair
    gc.collect()
    assert ended(client_context) == {("protocol", "bad_record_mac"): 1}
    assert ended(server_context) == {("refused", "bad_record_mac"): 1}


# --- TLS in TLS -------------------------------------------------------------------------------------------------------
ENDS: dict[str, Callable[[Any], object]] = {
    "close": lambda sock: sock.close(),
    "detach": lambda sock: standard.socket(fileno=sock.detach()).close(),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_carriers_end_with_what_they_carry(
    certificates: Certificates, client_context: Any, server_context: Any, end: str, layers: int
) -> None:
    """They are still there: nobody has dropped them."""
    carriers = [(certificates.client_context(), certificates.server_context()) for _ in range(layers)]
    transport = tls_transport(*carriers[0])
    for each in carriers[1:]:
        transport = tls_transport(*each, transport)
    with tls_sockets(client_context, server_context, transport=transport) as (client, server):
        kept = [client._carrier, getattr(client._carrier, "_carrier", None)]
        for context, _ in carriers:
            assert context.metrics().connections_open == 1
        ENDS[end](client)
        for context in (client_context, *(context for context, _ in carriers)):
            assert ended(context) == {"closed": 1}
            assert context.metrics().connections_open == 0
        server.close()
        assert kept


def test_a_carrier_that_is_given_back_is_open_and_what_it_carried_is_not(
    certificates: Certificates, client_context: Any, server_context: Any
) -> None:
    outside = certificates.client_context(), certificates.server_context()
    with tls_sockets(client_context, server_context, transport=tls_transport(*outside)) as (client, server):
        inside = client._sslobj, server._sslobj
        closing = Task(server.unwrap)
        with client.unwrap() as carrier, closing.result() as other:
            for context in outside:
                assert context.metrics().connections_open == 1
            for context in (client_context, server_context):
                assert ended(context) == {"closed_by_peer": 1}
                assert context.metrics().connections_open == 0
            carrier.sendall(b"still there")
            assert receive_exactly(other, 11) == b"still there"
        assert ended(outside[0]) == {"closed": 1}
        assert inside


# --- A refusal after the handshake ------------------------------------------------------------------------------------


def refused_client(certificates: Certificates) -> tuple[Any, Any]:
    """Contexts of TLS 1.3, whose server requires a certificate that the client does not have."""
    return (
        certificates.client_context(TLS13),
        certificates.server_context(TLS13, client_ca=certificates.ca_file),
    )


def test_a_client_that_only_unwraps_has_been_refused(certificates: Certificates) -> None:
    """OpenSSL takes the alert for the end: unwrap() succeeds, as with `ssl`."""
    contexts = refused_client(certificates)
    pair = Pair(*contexts)
    with pytest.raises(standard.SSLError):
        pair.handshake()
    pair.pump()
    pair.client.unwrap()
    assert pair.client.truncated
    del pair
    gc.collect()
    assert ended(contexts[0]) == {("refused", "certificate_required"): 1}


def test_so_has_one_whose_server_has_closed_the_socket(certificates: Certificates) -> None:
    """Its close_notify meets a reset, behind which the alert is."""
    contexts = refused_client(certificates)
    near, far = tcp_pair()
    with contexts[0].wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        with contexts[1].wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server:
            with pytest.raises(standard.SSLError):
                handshake(client, server)
        client.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            client.unwrap()
        assert client.truncated
    assert ended(contexts[0]) == {("refused", "certificate_required"): 1}
