"""Compromised keys of CAs: no chain through one of them is accepted, whatever a program trusts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.kit.certificates import HOST
from tests.kit.pair import Pair
from tests.kit.subject import tls
from wiretight._core.x509 import distrusted

CERT_REJECTED = 28  # X509_V_ERR_CERT_REJECTED


class Chain:
    """root - intermediate - leaf, of a server and of a client."""

    def __init__(self, folder: Path) -> None:
        self.root = trustme.CA()
        self.intermediate = self.root.create_child_ca()
        self.leaf = self.intermediate.issue_cert(HOST)
        self.files = {}
        for name, issuer in (("server", self.leaf), ("client", self.intermediate.issue_cert("client@example.org"))):
            self.files[name] = folder / f"{name}.pem"
            issuer.private_key_and_cert_chain_pem.write_to_path(self.files[name])

    def certificate(self, which: str) -> bytes:
        if which == "leaf":
            return self.leaf.cert_chain_pems[0].bytes()
        return (self.root if which == "root" else self.intermediate).cert_pem.bytes()

    def digest(self, which: str) -> str:
        key = x509.load_pem_x509_certificate(self.certificate(which)).public_key()
        return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    def context(self, role: str, version: Any, *, trusted: str = "root", verify: bool = True) -> Any:
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER if role == "server" else tls.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(self.files[role])
        context.load_verify_locations(cadata=self.certificate(trusted).decode())
        context.verify_flags |= tls.VERIFY_X509_PARTIAL_CHAIN
        context.minimum_version = context.maximum_version = version
        if role == "client" and not verify:
            context.check_hostname = False
        context.verify_mode = tls.CERT_REQUIRED if verify else tls.CERT_NONE
        return context


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(autouse=True)
def _keys_of_this_test_only() -> Iterator[None]:
    yield
    distrusted.use(distrusted.KEYS)


def test_the_table_contains_each_digest_once() -> None:
    assert len(set(distrusted.KEYS)) == len(distrusted.KEYS) == 8
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in distrusted.KEYS)


def test_other_chains_are_accepted(chain: Chain, version: Any) -> None:
    Pair(chain.context("client", version), chain.context("server", version, verify=False)).handshake()


@pytest.mark.parametrize("which", ["root", "intermediate", "leaf"])
def test_a_server_with_a_distrusted_key_in_its_chain_is_rejected(chain: Chain, version: Any, which: str) -> None:
    distrusted.use([*distrusted.KEYS, chain.digest(which)])
    pair = Pair(chain.context("client", version), chain.context("server", version, verify=False))
    failure = pair.until_error()
    assert failure.side == "client"
    assert isinstance(failure.error, tls.SSLCertVerificationError)
    assert failure.error.verify_code == CERT_REJECTED
    assert failure.error.verify_message == "certificate rejected"
    reason = failure.peer_error.reason  # type: ignore[union-attr]
    assert reason in ("SSLV3_ALERT_BAD_CERTIFICATE", "TLS_ALERT_BAD_CERTIFICATE")  # OpenSSL 3's name, and 4's


def test_trusting_the_distrusted_certificate_itself_does_not_help(chain: Chain, version: Any) -> None:
    distrusted.use([chain.digest("intermediate")])
    client = chain.context("client", version, trusted="intermediate")
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        Pair(client, chain.context("server", version, verify=False)).handshake()
    assert caught.value.verify_code == CERT_REJECTED


def test_a_client_with_a_distrusted_key_in_its_chain_is_rejected(chain: Chain, version: Any) -> None:
    distrusted.use([chain.digest("intermediate")])
    pair = Pair(chain.context("client", version, verify=False), chain.context("server", version))
    failure = pair.until_error()
    assert failure.side == "server"
    assert failure.error.verify_code == CERT_REJECTED  # type: ignore[attr-defined]


def test_without_verification_nothing_is_rejected(chain: Chain, version: Any) -> None:
    distrusted.use([chain.digest("intermediate")])
    Pair(chain.context("client", version, verify=False), chain.context("server", version, verify=False)).handshake()


def test_an_earlier_verification_error_takes_precedence(chain: Chain, version: Any, certificates: Any) -> None:
    distrusted.use([chain.digest("intermediate")])
    client = certificates.client_context(version)  # trusts another CA
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        Pair(client, chain.context("server", version, verify=False)).handshake()
    assert caught.value.verify_code != CERT_REJECTED
