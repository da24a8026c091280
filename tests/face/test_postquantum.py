"""A modern OpenSSL's key exchange and signatures that a quantum computer cannot break."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import wiretight
from tests.kit.certificates import HOST, Certificates, Credentials
from tests.kit.pair import Pair
from wiretight._core.base.tables import FEATURES

SINCE_3_5 = pytest.mark.skipif(
    not FEATURES["HAS_SIGALG_NAMES"],
    reason="ML-KEM and ML-DSA came with OpenSSL 3.5: wiretight was built for an older one",
)

HYBRID = "X25519MLKEM768"
ALGORITHMS = {"mldsa44": "MLDSA44PrivateKey", "mldsa65": "MLDSA65PrivateKey", "mldsa87": "MLDSA87PrivateKey"}


@SINCE_3_5
def test_two_ends_with_default_settings_agree_on_a_hybrid_group(certificates: Certificates) -> None:
    client = wiretight.create_default_context(cafile=str(certificates.ca_file))
    server = wiretight.create_default_context(wiretight.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*certificates.server)
    pair = Pair(client, server)
    pair.handshake()

    assert pair.client.group() == pair.server.group() == HYBRID
    assert pair.transfer(b"data", pair.client) == b"data"


@SINCE_3_5
def test_a_peer_without_it_negotiates_an_older_group(certificates: Certificates) -> None:
    client, server = certificates.client_context(), certificates.server_context()
    server.set_groups("x25519:secp256r1")
    pair = Pair(client, server)
    pair.handshake()

    assert pair.client.group() == "x25519"


@SINCE_3_5
def test_it_is_among_the_groups_that_can_be_set(certificates: Certificates) -> None:
    context = certificates.client_context()

    assert HYBRID in context.get_groups()
    context.set_groups(HYBRID)


@pytest.fixture(params=ALGORITHMS)
def signed(request: pytest.FixtureRequest, tmp_path: Path) -> Credentials:
    """A self-signed certificate for HOST."""
    mldsa = pytest.importorskip(
        "cryptography.hazmat.primitives.asymmetric.mldsa", reason="cryptography has ML-DSA from 47 on"
    )
    try:
        key = getattr(mldsa, ALGORITHMS[request.param]).generate()
    except UnsupportedAlgorithm:
        pytest.skip("the OpenSSL of cryptography has no ML-DSA, so there is nothing to make the certificate with")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, None)
    )
    credentials = Credentials(tmp_path / f"{request.param}.pem", tmp_path / f"{request.param}.key")
    credentials.chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    credentials.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return credentials


@SINCE_3_5
def test_an_ml_dsa_certificate_loads_and_verifies(certificates: Certificates, signed: Credentials) -> None:
    client = certificates.client_context(ca_file=signed.chain)
    client.verify_flags |= wiretight.VERIFY_X509_PARTIAL_CHAIN
    pair = Pair(client, certificates.server_context(credentials=signed))
    pair.handshake()

    assert pair.client.server_sigalg() == signed.chain.stem
    assert ("DNS", HOST) in pair.client.getpeercert()["subjectAltName"]


@SINCE_3_5
def test_an_untrusted_ml_dsa_certificate_is_rejected(certificates: Certificates, signed: Credentials) -> None:
    failure = Pair(certificates.client_context(), certificates.server_context(credentials=signed)).until_error()

    assert failure.side == "client"
    assert isinstance(failure.error, wiretight.SSLCertVerificationError)


@SINCE_3_5
def test_a_client_authenticates_with_ml_dsa(certificates: Certificates, signed: Credentials) -> None:
    server = certificates.server_context(client_ca=signed.chain)
    server.verify_flags |= wiretight.VERIFY_X509_PARTIAL_CHAIN
    pair = Pair(certificates.client_context(credentials=signed), server)
    pair.handshake()

    assert pair.server.client_sigalg() == signed.chain.stem


def test_flags_report_what_this_openssl_supports() -> None:
    flags: dict[str, Any] = {name: getattr(wiretight, name) for name in ("HAS_ECH", "HAS_CERT_COMPRESSION")}

    assert all(type(flag) is bool for flag in flags.values())
    if wiretight.OPENSSL_VERSION_INFO < (3, 2):
        assert not any(flags.values())
    assert flags["HAS_ECH"] <= (wiretight.OPENSSL_VERSION_INFO >= (4,))
