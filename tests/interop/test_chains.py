"""Chains of certificates that other implementations show: what is on the exception, and which alert they hear.

The same flaws as in tests/face/test_verification.py, as far as a peer can show them.
"""

from __future__ import annotations

import ssl as standard
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import wiretight
from tests.interop.peers.gnutls import GnuTLS
from tests.interop.peers.golang import Go
from tests.interop.peers.openssl import OpenSSL
from tests.interop.peers.peer import Peer, Serving
from tests.interop.peers.terms import Terms, lines_of_digits
from tests.kit.authority import Issued, issue
from tests.kit.certificates import ADDRESS, HOST, Credentials
from tests.kit.flaws import FLAWS, Chain, spoilt
from tests.kit.servers import Server
from tests.kit.sockets import connect
from wiretight import TrustStore

Alert = standard.AlertDescription

PEERS = [OpenSSL(), GnuTLS(), Go()]
# The alert that stands for each flaw, which OpenSSL chooses by the first error.
ALERTS = {
    "expired": Alert.ALERT_DESCRIPTION_CERTIFICATE_EXPIRED,
    "not yet valid": Alert.ALERT_DESCRIPTION_BAD_CERTIFICATE,
    "expired intermediate": Alert.ALERT_DESCRIPTION_CERTIFICATE_EXPIRED,
    "another name": Alert.ALERT_DESCRIPTION_BAD_CERTIFICATE,
    "untrusted root": Alert.ALERT_DESCRIPTION_UNKNOWN_CA,
    "untrusted root, sent": Alert.ALERT_DESCRIPTION_UNKNOWN_CA,
    "untrusted leaf, alone": Alert.ALERT_DESCRIPTION_UNKNOWN_CA,
    "for clients only": Alert.ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE,
    "unknown critical extension": Alert.ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN,
    "path too long": Alert.ALERT_DESCRIPTION_UNKNOWN_CA,
    "revoked": Alert.ALERT_DESCRIPTION_CERTIFICATE_REVOKED,
    "expired CRL": Alert.ALERT_DESCRIPTION_CERTIFICATE_EXPIRED,
    "forged": Alert.ALERT_DESCRIPTION_DECRYPT_ERROR,
}
# Those that a client can have as well.
OF_CLIENTS = ["expired", "untrusted root, sent", "untrusted leaf, alone", "revoked", "forged"]
# What Go calls an alert.
OF_GO = {
    "BAD_CERTIFICATE": "bad certificate",
    "CERTIFICATE_EXPIRED": "expired certificate",
    "CERTIFICATE_REVOKED": "revoked certificate",
    "CERTIFICATE_UNKNOWN": "unknown certificate",
    "DECRYPT_ERROR": "error decrypting message",
    "UNKNOWN_CA": "unknown certificate authority",
    "UNSUPPORTED_CERTIFICATE": "unsupported certificate",
}


class Shown(NamedTuple):
    """What stands for the kit's Certificates, for a peer that shows a chain of our own."""

    server: Credentials
    ca_file: Path


class Case:
    """A chain, and a context of the other side that judges it."""

    def __init__(self, folder: Path, version: Any, chain: Chain) -> None:
        self.chain = chain
        self.leaf, self.intermediate, self.root = chain.issued()
        self.sent = [self.leaf, self.intermediate, self.root][: chain.sent]
        self.version = version
        self.folder = folder
        self.other = issue("other", ca=True)

    def terms(self) -> Terms:
        chain, key = self.leaf.write(self.folder, "leaf")
        chain.write_text("".join(each.pem for each in self.sent))
        ca_file = self.folder / "root.pem"
        ca_file.write_text(self.root.pem)
        shown = Shown(Credentials(chain, key), ca_file)
        return Terms(shown, self.version, self.folder, lines_of_digits(1), client_credentials=shown.server)

    def judging(self, context: Any) -> Any:
        context.minimum_version = context.maximum_version = self.version
        context.trust_store = TrustStore(self.root.pem if self.chain.is_trusted else self.other.pem)
        for make in self.chain.crls:
            context.load_crls(data=make(self.leaf, self.intermediate, self.root).pem)
        context.verify_flags |= self.chain.flags
        return context

    def client(self) -> Any:
        return self.judging(wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT))

    def server(self) -> Any:
        """With a good certificate of its own, from the same root."""
        context = self.judging(wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER))
        context.load_cert_chain(*self.root.issue(HOST, names=[HOST, ADDRESS]).write(self.folder, "server"))
        context.verify_mode = wiretight.CERT_REQUIRED
        return context


@pytest.fixture(params=PEERS, ids=lambda peer: peer.name)
def peer(request: pytest.FixtureRequest) -> Peer:
    if missing := request.param.missing():
        pytest.skip(missing)
    return request.param


@pytest.fixture
def case(tmp_path: Path, version: Any) -> Callable[[Chain], Case]:
    return lambda chain: Case(tmp_path, version, chain)


def flawed(name: str) -> tuple[Chain, set[int]]:
    flaw = next(flaw for flaw in FLAWS if flaw.name == name)
    return spoilt(flaw), flaw.expected


def heard(peer: Peer, serving: Serving, alert: Any, version: Any) -> bool:
    """Whether the peer's server says that it has received this alert."""
    said = {
        "OpenSSL": f"SSL alert number {alert.value}",
        "GnuTLS": "A TLS fatal alert has been received",  # it does not say which
        "Go": f"remote error: tls: {OF_GO[alert.name.removeprefix('ALERT_DESCRIPTION_')]}",
    }
    if version == standard.TLSVersion.TLSv1_3:
        # OpenSSL as a client sends it before it has begun to encrypt, and none but OpenSSL understands that.
        said.update(GnuTLS="Error in handshake", Go="local error: tls")
    assert serving.program is not None
    return bool(serving.program.line_with(said[peer.name]))


def shown(peer: Peer, made: Case) -> list[bytes]:
    """What the peer has sent: OpenSSL's programs the leaf, and then all of the file; GnuTLS nothing of another CA."""
    sent = [made.leaf, *made.sent] if peer.name == "OpenSSL" else made.sent
    return [each.der for each in sent if peer.name != "GnuTLS" or each is not made.other]


def described(error: Any) -> tuple[set[int], list[bytes]]:
    """(the codes of its errors, its chain)"""
    return {each.code for each in error.verify_errors}, [certificate.der() for certificate in error.peer_chain]


@pytest.mark.parametrize("name", ALERTS)
def test_a_server_s_chain_is_refused_with_all_that_is_wrong(peer: Peer, case: Any, name: str) -> None:
    chain, expected = flawed(name)
    made = case(chain)
    with peer.serve(made.terms()) as serving:
        with pytest.raises(wiretight.SSLCertVerificationError) as caught:
            connect(made.client(), (ADDRESS, serving.port))
        assert described(caught.value) == (expected, shown(peer, made))
        assert (caught.value.alert, caught.value.alert_sent) == (ALERTS[name], True)
        assert heard(peer, serving, ALERTS[name], made.version)


@pytest.mark.parametrize("name", OF_CLIENTS)
def test_a_client_s_chain_is_refused_with_all_that_is_wrong(peer: Peer, case: Any, name: str) -> None:
    chain, expected = flawed(name)
    made = case(chain)
    terms = made.terms()
    with Server(made.server(), peer.serve_our_end(terms), errors_ok=True) as server:
        assert peer.call(terms, server.port).data == b""
        error: Any = server.next_error()
    assert described(error) == (expected, shown(peer, made))
    assert (error.alert, error.alert_sent) == (ALERTS[name], True)


# --- Chains that are not as they should be, and good nevertheless ----------------------------------------------------


def names(chain: list[Any]) -> list[str]:
    return [certificate.subject[0][0][1] for certificate in chain]


def with_the_root(made: Case) -> list[Issued]:
    return [made.leaf, made.intermediate, made.root]


def with_somebody_elses(made: Case) -> list[Issued]:
    return [made.leaf, made.intermediate, made.other]


@pytest.mark.parametrize("sent", [with_the_root, with_somebody_elses])
def test_more_than_is_needed_does_no_harm_and_is_told_of(peer: Peer, case: Any, sent: Any) -> None:
    made = case(Chain())
    made.sent = sent(made)
    told: list[Any] = []
    client = made.client()
    client.verify_callback = lambda _, verification: told.append((verification.presented, verification.chain))
    terms = made.terms()
    with peer.serve(terms) as serving, connect(client, (ADDRESS, serving.port)) as connection:
        assert serving.ask(connection, terms) == terms.data
    [(presented, chain)] = told
    assert [each.der() for each in presented] == shown(peer, made)
    assert names(chain) == ["leaf", "intermediate", "root"]


def test_an_intermediate_that_is_missing_is_taken_from_the_store(peer: Peer, case: Any) -> None:
    made = case(Chain(sent=1))
    client = made.client()
    terms = made.terms()
    with peer.serve(terms) as serving:
        with pytest.raises(wiretight.SSLCertVerificationError) as caught:
            connect(client, (ADDRESS, serving.port))
        assert described(caught.value) == ({20, 21}, shown(peer, made))
        client.trust_store.add_certificates(made.intermediate.pem)
        with connect(client, (ADDRESS, serving.port)) as connection:
            assert serving.ask(connection, terms) == terms.data
