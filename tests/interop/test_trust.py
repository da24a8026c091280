"""curl, Go and openssl as clients of a server that judges their certificates, and as servers that are pinned."""

from __future__ import annotations

import ssl as standard
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.peers.curl import Curl
from tests.interop.peers.golang import Go
from tests.interop.peers.openssl import OpenSSL
from tests.interop.peers.peer import Peer
from tests.interop.peers.terms import Terms
from tests.kit.certificates import Certificates, Credentials
from tests.kit.servers import Server
from tests.kit.sockets import connect
from wiretight import Certificate, SSLCertVerificationError, TrustStore, VerifyCode

DATA = b"%063d\n" % 0
NAME = ("email", "client@example.org")


def met(peer: Peer) -> Peer:
    reason = peer.missing()
    if reason:
        pytest.skip(reason)
    return peer


@pytest.fixture(params=[Curl(), Go(), OpenSSL()], ids=lambda peer: peer.name)
def client(request: pytest.FixtureRequest) -> Peer:
    return met(request.param)


@pytest.fixture(params=[Go(), OpenSSL()], ids=lambda peer: peer.name)
def server(request: pytest.FixtureRequest) -> Peer:
    return met(request.param)


@pytest.fixture
def terms(certificates: Certificates, version: standard.TLSVersion, tmp_path: Path) -> Iterator[Terms]:
    return Terms(certificates, version, tmp_path, DATA)


@pytest.fixture
def judging(certificates: Certificates, version: standard.TLSVersion) -> Any:
    """A server's context that trusts the CA of the tests, from memory."""
    context = certificates.server_context(version)
    context.verify_mode = standard.CERT_REQUIRED
    context.trust_store = TrustStore(certificates.ca_file.read_text())
    return context


def verdict(client: Peer, terms: Terms, context: Any, credentials: Credentials) -> SSLCertVerificationError | None:
    """None where the client got its answer."""
    terms = terms._replace(client_credentials=credentials, demands_certificate=True)
    with Server(context, client.serve_our_end(terms), ragged_eof_ok=True) as server:
        answer = client.call(terms, server.port)
        if answer.data == terms.data:
            return None
        error = server.next_error()
    assert isinstance(error, SSLCertVerificationError)
    return error


def test_a_client_is_admitted_by_its_name(client: Peer, terms: Terms, judging: Any, certificates: Certificates) -> None:
    def only_this_one(_: Any, verification: Any) -> None:
        if NAME not in verification.chain[0].alternative_names:
            verification.refuse("somebody else")

    judging.verify_callback = only_this_one
    assert verdict(client, terms, judging, certificates.client) is None
    error = verdict(client, terms, judging, certificates.elsewhere)
    assert error is not None
    assert error.verify_message == "somebody else"


def test_a_revoked_client_is_refused(client: Peer, terms: Terms, judging: Any, certificates: Certificates) -> None:
    judging.trust_store.add_crls(certificates.crl().der)
    assert verdict(client, terms, judging, certificates.client) is None
    judging.trust_store = TrustStore(certificates.ca_file.read_text(), certificates.crl(certificates.client).der)
    error = verdict(client, terms, judging, certificates.client)
    assert error is not None
    assert error.verify_code == VerifyCode.CERT_REVOKED


def test_a_client_of_another_ca_is_told_of_with_its_chain(
    client: Peer, terms: Terms, judging: Any, certificates: Certificates
) -> None:
    error = verdict(client, terms, judging, certificates.client_of_other_ca)
    assert error is not None
    assert NAME in error.peer_chain[0].alternative_names
    assert error.verify_errors[0].code == error.verify_code


def test_a_server_is_known_by_its_key(server: Peer, terms: Terms, certificates: Certificates) -> None:
    pin = Certificate.from_pem(certificates.server.chain.read_text()).spki_sha256
    context = certificates.client_context(terms.version)

    def check(_: Any, verification: Any) -> None:
        if verification.presented[0].spki_sha256 != pin:
            verification.refuse("its key is not pinned")

    context.verify_callback = check
    with server.serve(terms) as serving:
        with connect(context, ("127.0.0.1", serving.port)) as sock:
            assert serving.ask(sock, terms) == terms.data
        pin = bytes(32)
        with pytest.raises(SSLCertVerificationError, match="its key is not pinned"):
            connect(context, ("127.0.0.1", serving.port))
