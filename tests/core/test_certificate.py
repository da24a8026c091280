"""Certificate: what it says of itself, and how it is read."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import wiretight
from tests.kit.authority import NOW, Issued, issue
from tests.kit.pair import Pair
from wiretight import Certificate

NAMES = ("example.org", "127.0.0.1", "2001:db8::1", "spiffe://example.org/service")


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("root", ca=True)


@pytest.fixture(scope="module")
def leaf(root: Issued) -> Issued:
    return root.issue("client", names=NAMES)


def read(issued: Issued) -> Certificate:
    return Certificate.from_der(issued.der)


# --- What it says ----------------------------------------------------------------------------------------------------
def test_names_are_in_the_form_of_getpeercert(leaf: Issued) -> None:
    certificate = read(leaf)
    assert certificate.subject == ((("commonName", "client"),),)
    assert certificate.issuer == ((("commonName", "root"),),)
    assert certificate.alternative_names == [
        ("DNS", "example.org"),
        ("IP Address", "127.0.0.1"),
        ("IP Address", "2001:DB8:0:0:0:0:0:1"),
        ("URI", "spiffe://example.org/service"),
    ]
    info = certificate.get_info()
    assert (info["subject"], info["issuer"]) == (certificate.subject, certificate.issuer)
    assert info["subjectAltName"] == tuple(certificate.alternative_names)


def test_without_alternative_names_the_list_is_empty_and_each_time_another(root: Issued) -> None:
    certificate = read(root)
    certificate.alternative_names.append(("DNS", "example.org"))
    assert certificate.alternative_names == []


@pytest.mark.parametrize("serial", [1, 127, 128, 2**64, 2**159 - 1])
def test_a_serial_number_is_an_int_of_any_size(root: Issued, serial: int) -> None:
    assert read(root.issue(serial=serial)).serial_number == serial


def test_a_negative_serial_number_keeps_its_sign(root: Issued) -> None:
    issued = root.issue(serial=0x0123)
    assert issued.der.count(b"\x02\x02\x01\x23") == 1
    assert Certificate.from_der(issued.der.replace(b"\x02\x02\x01\x23", b"\x02\x02\xfe\xdd")).serial_number == -0x0123


@pytest.mark.parametrize("year", [1950, 1999, 2049, 2050, 9999])
def test_dates_are_in_utc(root: Issued, year: int) -> None:
    until = dt.datetime(year, 12, 31, 23, 59, 59, tzinfo=dt.timezone.utc)
    certificate = read(root.issue(not_before=until - dt.timedelta(days=1), not_after=until))
    assert certificate.not_after == until
    assert certificate.not_before == until - dt.timedelta(days=1)
    assert certificate.not_after.utcoffset() == dt.timedelta(0)


def test_a_date_that_is_none_is_a_value_error_and_the_rest_is_there(root: Issued) -> None:
    issued = root.issue("client", not_after=NOW)
    date = NOW.strftime("%y%m%d%H%M%SZ").encode()
    certificate = Certificate.from_der(issued.der.replace(date, b"990231000000Z"))
    assert certificate.subject == ((("commonName", "client"),),)
    with pytest.raises(ValueError, match="a date that is none"):
        certificate.not_after  # noqa: B018


@pytest.mark.parametrize(
    ("key", "kind", "bits"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA", 2048),
        (ec.generate_private_key(ec.SECP384R1()), "EC", 384),
        (ed25519.Ed25519PrivateKey.generate(), "ED25519", 256),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_kind_and_size_of_its_key_are_told(root: Issued, key: Any, kind: str, bits: int) -> None:
    certificate = read(root.issue("client", key=key))
    assert (certificate.key_type, certificate.key_bits) == (kind, bits)


def test_a_key_of_a_kind_that_nobody_knows_has_none(leaf: Issued) -> None:
    public_key = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"  # id-ecPublicKey, RFC 5480
    certificate = Certificate.from_der(leaf.der.replace(public_key, public_key[:-1] + b"\x63"))
    assert (certificate.key_type, certificate.key_bits) == (None, None)
    assert certificate.subject == read(leaf).subject


def test_what_it_is_signed_with_has_the_name_of_openssl(root: Issued, leaf: Issued) -> None:
    assert read(leaf).signature_algorithm == "ecdsa-with-SHA256"
    algorithm = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
    unknown = Certificate.from_der(leaf.der.replace(algorithm, algorithm[:-1] + b"\x63"))
    assert unknown.signature_algorithm == "1.2.840.10045.4.3.99"


def test_digests_are_those_of_hashlib(leaf: Issued) -> None:
    certificate = read(leaf)
    assert certificate.fingerprint() == hashlib.sha256(leaf.der).digest()
    for name in ("sha1", "sha384", "sha3_256"):
        assert certificate.fingerprint(name.replace("_", "-")) == hashlib.new(name, leaf.der).digest()
    key = leaf.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert certificate.spki_sha256 == hashlib.sha256(key).digest()


def test_the_digest_of_the_key_survives_a_renewal(root: Issued, leaf: Issued) -> None:
    renewed = root.issue("client", key=leaf.key)
    assert read(renewed).spki_sha256 == read(leaf).spki_sha256
    assert read(renewed).fingerprint() != read(leaf).fingerprint()


def test_encodings_are_what_was_read(leaf: Issued) -> None:
    certificate = Certificate.from_pem(leaf.pem)
    assert certificate.der() == certificate.public_bytes(2) == leaf.der
    assert certificate.pem() == certificate.public_bytes(1) == leaf.pem


def test_cryptography_gets_the_same_certificate(leaf: Issued) -> None:
    assert read(leaf).to_cryptography() == leaf.certificate


# --- An object like any other ----------------------------------------------------------------------------------------
def test_certificates_are_equal_by_their_encoding(root: Issued, leaf: Issued) -> None:
    assert read(leaf) == Certificate.from_pem(leaf.pem)
    assert hash(read(leaf)) == hash(Certificate.from_pem(leaf.pem))
    other = root.issue("client", names=NAMES, key=leaf.key)
    assert read(leaf) != read(other)
    assert len({read(leaf), read(leaf), read(other)}) == 2
    assert read(leaf) != leaf.der


def test_it_can_be_pickled_and_copied(leaf: Issued) -> None:
    certificate = read(leaf)
    assert pickle.loads(pickle.dumps(certificate)) == certificate
    assert copy.copy(certificate) == copy.deepcopy(certificate) == certificate


def test_it_cannot_be_changed_or_subclassed(leaf: Issued) -> None:
    certificate: Any = read(leaf)
    for name in ("subject", "serial_number", "not_after", "spki_sha256", "pinned"):
        with pytest.raises(AttributeError):
            setattr(certificate, name, None)
    with pytest.raises(TypeError, match="base type"):
        type("Own", (Certificate,), {})


def test_its_repr_names_its_subject(root: Issued) -> None:
    assert repr(read(root.issue("ü\n"))) == r"<Certificate 'CN=ü\\0A'>"
    assert repr(read(root.issue("", names=NAMES))) == "<Certificate ''>"


def test_the_chain_of_a_connection_is_made_of_them(pair: Pair) -> None:
    pair.handshake()
    chain = pair.client._sslobj.get_unverified_chain()
    assert isinstance(chain[0], Certificate)
    assert chain[0].der() == pair.client.getpeercert(binary_form=True)
    assert wiretight._ssl.Certificate is Certificate


# --- Reading ---------------------------------------------------------------------------------------------------------
def test_pem_is_text_or_bytes_and_may_have_more_than_the_certificate(leaf: Issued) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    text = f"# Zertifikat für localhost\n{key}{leaf.pem}{key}"
    for data in (text, text.encode(), bytearray(text.encode()), memoryview(text.encode())):
        assert Certificate.from_pem(data).der() == leaf.der
    assert Certificate.from_der(memoryview(leaf.der)).der() == leaf.der


REFUSED = [
    ("from_pem", None, TypeError, "data should be a string or a bytes-like object"),
    ("from_pem", 7, TypeError, "data should be a string or a bytes-like object"),
    ("from_pem", "", ValueError, "Empty certificate data"),
    ("from_pem", "PEM", wiretight.SSLError, "data does not contain a certificate"),
    ("from_pem", "twice", ValueError, "data has 2 certificates, but must have one: pass each of them by itself"),
    ("from_pem", "half", wiretight.SSLError, "data does not contain a certificate"),
    ("from_der", None, TypeError, "data should be a bytes-like object"),
    ("from_der", "text", TypeError, "data should be a bytes-like object"),
    ("from_der", b"", ValueError, "Empty certificate data"),
    ("from_der", b"DER", wiretight.SSLError, "data does not contain a certificate"),
    ("from_der", b"twice", ValueError, "data has 2 certificates, but must have one: pass each of them by itself"),
    ("from_der", b"half", wiretight.SSLError, "data does not contain a certificate"),
    ("from_der", b"more", wiretight.SSLError, "header too long|not enough data"),
]


@pytest.mark.parametrize(("name", "data", "kind", "message"), REFUSED)
def test_what_is_not_one_certificate_is_refused(
    leaf: Issued, name: str, data: Any, kind: type[Exception], message: str
) -> None:
    made = {
        "twice": leaf.pem * 2,
        "half": leaf.pem[: len(leaf.pem) // 2],
        b"twice": leaf.der * 2,
        b"half": leaf.der[:-1],
        b"more": leaf.der + b"0",
    }
    with pytest.raises(kind, match=message):
        getattr(Certificate, name)(made.get(data, data))
