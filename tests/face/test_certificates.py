"""Certificates as text and bytes, dates, and the certificate of a server."""

from __future__ import annotations

import datetime as dt
import ssl as standard
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.servers import Server
from tests.kit.subject import tls

DATES = [
    "Jan  5 09:34:43 2018 GMT",
    "jan 05 9:4:3 2018 GMT",
    "Feb 31 00:00:00 2000 GMT",
    "Dec 31 23:59:60 2008 GMT",
    "Jan  5 09:34:43 9999 GMT",
]
NO_DATES = [
    "",
    "Jan  5 09:34:43 2018",
    "Jan  5 09:34:43 2018 UTC",
    "Foo  5 09:34:43 2018 GMT",
    "Jan  5 09:34:43 0000 GMT",
    "Jan 32 00:00:00 2000 GMT",
    "Jan  0 00:00:00 2000 GMT",
    "Jan  1 24:00:00 2000 GMT",
    "Jan  1 00:60:00 2000 GMT",
    "Jan  1 00:00:62 2000 GMT",
    " Jan 5 09:34:43 2018 GMT",
]


@pytest.mark.parametrize("date", DATES)
def test_a_date_converts_to_the_standard_librarys_seconds(date: str) -> None:
    assert tls.cert_time_to_seconds(date) == standard.cert_time_to_seconds(date)


@pytest.mark.parametrize("year", [1, 1600, 1900, 1969, 1970, 2000, 2023, 2024, 2100])
def test_every_month_begins_where_the_standard_library_has_it(year: int) -> None:
    for month in ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"):
        date = f"{month}  1 00:00:00 {year:04} GMT"
        assert tls.cert_time_to_seconds(date) == standard.cert_time_to_seconds(date), date


@pytest.mark.parametrize("text", NO_DATES)
def test_an_invalid_date_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"time data .* does not match format"):
        tls.cert_time_to_seconds(text)


@pytest.mark.parametrize("size", [1, 47, 48, 49, 1000])
def test_der_becomes_pem_and_back(size: int) -> None:
    der = bytes(range(256)) * 4
    pem = tls.DER_cert_to_PEM_cert(der[:size])
    assert pem == standard.DER_cert_to_PEM_cert(der[:size])
    assert tls.PEM_cert_to_DER_cert(pem) == der[:size]
    assert tls.PEM_cert_to_DER_cert(f"{pem}\n\n") == der[:size]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("certificate", "must start with -----BEGIN CERTIFICATE-----"),
        ("-----BEGIN CERTIFICATE-----\nYWJj", "must end with -----END CERTIFICATE-----"),
    ],
)
def test_pem_without_header_or_footer_is_rejected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tls.PEM_cert_to_DER_cert(text)


def leaf(chain: Path) -> str:
    return chain.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"


def leave(sock: Any) -> None:
    """The handler of a server whose clients close without reading: sending anything would reset the connection."""


def test_the_certificate_of_a_server_is_fetched_without_being_verified(certificates: Certificates) -> None:
    with Server(certificates.server_context(), leave, ragged_eof_ok=True) as server:
        assert tls.get_server_certificate(server.address) == leaf(certificates.server.chain)


def test_it_is_verified_against_a_given_ca(certificates: Certificates) -> None:
    with Server(certificates.server_context(), leave, ragged_eof_ok=True) as server:
        pem = tls.get_server_certificate(server.address, ca_certs=str(certificates.ca_file))
        assert pem == leaf(certificates.server.chain)
        with pytest.raises(tls.SSLCertVerificationError):
            tls.get_server_certificate(server.address, ca_certs=str(certificates.other_ca_file))
        assert isinstance(server.next_error(), tls.SSLError)


def test_the_default_paths_are_openssls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = tls.get_default_verify_paths()
    assert (paths.openssl_cafile_env, paths.openssl_capath_env) == ("SSL_CERT_FILE", "SSL_CERT_DIR")
    assert paths.capath is None or Path(paths.capath).is_dir()
    cafile = tmp_path / "ca.pem"
    cafile.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(cafile))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    paths = tls.get_default_verify_paths()
    assert paths.cafile == str(cafile)
    assert paths.capath is None


def test_a_chain_is_der_bytes_with_a_pem_method(pair: Any, certificates: Certificates) -> None:
    pair.handshake()
    (first, *_) = chain = pair.client.get_unverified_chain()
    assert all(isinstance(certificate, bytes) for certificate in chain)
    assert first == pair.client.getpeercert(True)
    assert standard.DER_cert_to_PEM_cert(first) == leaf(certificates.server.chain)
    assert pair.client.get_verified_chain()[0] == first
    assert len(pair.client.get_verified_chain()) >= 2
    assert pair.server.get_unverified_chain() == pair.server.get_verified_chain() == []


def test_truststore_finds_public_bytes_on_an_older_python(pair: Any) -> None:
    pair.handshake()
    (first, *_) = pair.client.get_unverified_chain()
    assert first.public_bytes(2) == bytes(first)
    assert first.public_bytes(1) == standard.DER_cert_to_PEM_cert(first)
    with pytest.raises(ValueError, match="Unsupported format"):
        first.public_bytes(3)


@pytest.mark.parametrize("module", [tls, standard], ids=lambda module: module.__name__)
def test_a_chain_without_its_ca_is_completed_from_the_trusted_certificates(
    certificates: Certificates, module: Any
) -> None:
    client = certificates.client_context(credentials=certificates.client, module=module)
    pair = Pair(client, certificates.server_context(client_ca=certificates.ca_file))
    pair.handshake()
    pair.transfer(b"data", pair.client)
    chain = [standard.DER_cert_to_PEM_cert(certificate) for certificate in pair.server.get_unverified_chain()]
    assert chain == [leaf(certificates.client.chain), leaf(certificates.ca_file)]


def nested(depth: int) -> bytes:
    """A value of ASN.1 in so many others, the innermost of which is cut short."""
    return bytes([0x24, 0x80]) * depth + b"\x04\x05cut"


UNDECODABLE = {
    "nothing": b"",
    "no ASN.1": b"\xff" * 10,
    "a name that is cut short": b"\x30\x0b\x82\x0blocalhost",
    "a list that goes on behind its end": b"\x30\x0b\x82\x09localhost\x00",
    "a type that is none": b"\x30\x02\x8f\x00",
    "more levels than OpenSSL's error queue has room for": b"\x30\x80" + b"\xa4\x80" + b"\x30\x80" * 20,
    "an octet string in pieces in pieces": b"\x30\x80\xa0\x80\x06\x01\x2a\xa0\x80" + nested(8),
}


@pytest.mark.parametrize("identifier", ["2.5.29.17", "2.5.29.31", "1.3.6.1.5.5.7.1.1"])
@pytest.mark.parametrize("content", UNDECODABLE.values(), ids=UNDECODABLE)
def test_an_extension_that_cannot_be_decoded_is_left_out_as_in_the_standard_library(
    tmp_path: Path, identifier: str, content: bytes
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "name")])
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(identifier), content)
    now = dt.datetime.now(dt.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now).add_extension(extension, False)
    path = tmp_path / "certificate.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    assert tls._ssl._test_decode_cert(path) == standard._ssl._test_decode_cert(path)
