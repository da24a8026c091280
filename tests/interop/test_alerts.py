"""The alerts of other implementations are on the exceptions, and they hear ours."""

from __future__ import annotations

import ssl as standard
from pathlib import Path
from typing import Any

import pytest

from tests.interop.peers.gnutls import GnuTLS
from tests.interop.peers.golang import Go
from tests.interop.peers.openssl import OpenSSL
from tests.interop.peers.peer import Peer, Serving
from tests.interop.peers.terms import Terms, lines_of_digits
from tests.kit.certificates import ADDRESS, Certificates
from tests.kit.programs import OpenSSLClient, OpenSSLServer
from tests.kit.servers import Server
from tests.kit.sockets import connect
from tests.kit.subject import tls

Alert = standard.AlertDescription
TLS12, TLS13 = standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3

PEERS = pytest.mark.parametrize("peer", [OpenSSL(), GnuTLS(), Go()], ids=lambda peer: peer.name)

VERSION = Alert.ALERT_DESCRIPTION_PROTOCOL_VERSION
HANDSHAKE = Alert.ALERT_DESCRIPTION_HANDSHAKE_FAILURE
UNTRUSTED = Alert.ALERT_DESCRIPTION_UNKNOWN_CA
BAD = Alert.ALERT_DESCRIPTION_BAD_CERTIFICATE
REQUIRED = tls.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED
DENIED = Alert.ALERT_DESCRIPTION_ACCESS_DENIED

# Each has its own opinion of what these mean: OpenSSL that of RFC 8446; GnuTLS 3.7, Go 1.19 and newer ones others.
NEEDED = {"GnuTLS": {Alert.ALERT_DESCRIPTION_DECODE_ERROR, HANDSHAKE, REQUIRED}, "Go": {BAD, REQUIRED}}
NOT_TRUSTED_BY_SERVERS = {"GnuTLS": {DENIED, BAD, UNTRUSTED}, "Go": {BAD, UNTRUSTED}}
NOT_TRUSTED_BY_CLIENTS = {"GnuTLS": {BAD, UNTRUSTED}, "Go": {BAD, UNTRUSTED}}
OTHER_VERSION = {"GnuTLS": {HANDSHAKE, VERSION}}


@pytest.fixture
def terms(peer: Peer, certificates: Certificates, version: standard.TLSVersion, tmp_path: Path) -> Terms:
    if missing := peer.missing():
        pytest.skip(missing)
    return Terms(certificates, version, tmp_path, lines_of_digits(1))


def meet(serving: Serving, context: Any) -> None:
    with connect(context, (ADDRESS, serving.port)) as client:
        client.sendall(b"data\n")
        client.recv(1)


def refusal(serving: Serving, context: Any) -> Any:
    """The SSLError of a client that this server refuses: it may be told after its own handshake."""
    with pytest.raises((standard.SSLError, ConnectionError)) as raised:
        meet(serving, context)
    error = raised.value
    return error if isinstance(error, standard.SSLError) else error.__cause__


@PEERS
def test_a_server_says_that_it_needs_a_certificate(peer, terms, client_context, version):
    with peer.serve(terms._replace(demands_certificate=True)) as serving:
        error = refusal(serving, client_context)
    assert error.alert in NEEDED.get(peer.name, {REQUIRED} if version == TLS13 else {HANDSHAKE})
    assert not error.alert_sent


@PEERS
def test_a_server_says_that_it_does_not_trust_our_certificate(peer, terms, certificates, version):
    context = certificates.client_context(version, credentials=certificates.client_of_other_ca)
    with peer.serve(terms._replace(demands_certificate=True)) as serving:
        error = refusal(serving, context)
    assert error.alert in NOT_TRUSTED_BY_SERVERS.get(peer.name, {UNTRUSTED})
    assert not error.alert_sent


@PEERS
def test_a_server_says_that_it_has_another_version(peer, terms, certificates, version):
    other = TLS12 if version == TLS13 else TLS13
    with peer.serve(terms) as serving:
        error = refusal(serving, certificates.client_context(other))
    assert error.alert in OTHER_VERSION.get(peer.name, {VERSION})
    assert not error.alert_sent


@PEERS
def test_a_client_says_that_it_does_not_trust_our_certificate(peer, terms, certificates, version):
    context = certificates.server_context(version, credentials=certificates.server_of_other_ca)
    with Server(context, peer.serve_our_end(terms), errors_ok=True) as server:
        peer.call(terms, server.port)
        error = server.next_error()
    assert error.alert in NOT_TRUSTED_BY_CLIENTS.get(peer.name, {UNTRUSTED})
    assert not error.alert_sent


@PEERS
def test_we_tell_a_client_that_we_have_another_version(peer, terms, certificates, version):
    context = certificates.server_context(TLS12 if version == TLS13 else TLS13)
    with Server(context, peer.serve_our_end(terms), errors_ok=True) as server:
        assert peer.call(terms, server.port).data == b""
        error = server.next_error()
    assert (error.alert, error.alert_sent) == (VERSION, True)


@PEERS
def test_we_tell_a_client_that_we_need_a_certificate(peer, terms, certificates, version):
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    with Server(context, peer.serve_our_end(terms), errors_ok=True) as server:
        assert peer.call(terms, server.port).data == b""
        error = server.next_error()
    assert (error.alert, error.alert_sent) == (REQUIRED if version == TLS13 else HANDSHAKE, True)


def test_openssl_as_a_server_hears_why_we_refuse_it(certificates, version):
    context = certificates.client_context(version, ca_file=certificates.other_ca_file)
    with OpenSSLServer(certificates.server, version) as server:
        with pytest.raises(standard.SSLCertVerificationError) as raised:
            connect(context, server.address)
        assert (raised.value.alert, raised.value.alert_sent) == (UNTRUSTED, True)
        assert server.line_with(f"SSL alert number {UNTRUSTED.value}")


def test_openssl_as_a_client_hears_the_alert_of_a_callback(certificates, server_context, version):
    server_context.sni_callback = lambda *_: Alert.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    with Server(server_context, errors_ok=True) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version) as client:
            assert client.line_with(f"SSL alert number {Alert.ALERT_DESCRIPTION_UNRECOGNIZED_NAME.value}")
        error = server.next_error()
    assert (error.alert, error.alert_sent) == (Alert.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, True)
