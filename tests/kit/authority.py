"""Certificates and CRLs made to measure with `cryptography`: what no real authority would sign, too."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
DAY = dt.timedelta(days=1)


class Issued:
    """A certificate, its private key, and the one that signed it; a CA if it was made as one."""

    def __init__(self, certificate: x509.Certificate, key: Any, issuer: Issued | None) -> None:
        self.certificate = certificate
        self.key = key
        self.issuer = issuer
        self.pem = certificate.public_bytes(Encoding.PEM).decode()
        self.der = certificate.public_bytes(Encoding.DER)

    def issue(self, subject: str = "leaf", **settings: Any) -> Issued:
        """A certificate signed by this one; `settings` are those of issue()."""
        return issue(subject, issuer=self, **settings)

    def revoke(self, *revoked: Issued | int, next_update: dt.datetime = NOW + DAY, **settings: Any) -> Crl:
        """A CRL of this CA over certificates, or serial numbers."""
        numbers = [each if isinstance(each, int) else each.certificate.serial_number for each in revoked]
        return crl(self, numbers, next_update=next_update, **settings)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """The files of its chain, up to but without the self-signed one, and of its key: for load_cert_chain()."""
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_text("".join(each.pem for each in self.chain()))
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return chain, key

    def chain(self) -> list[Issued]:
        """This one first, without the self-signed one, unless that is all there is."""
        if self.issuer is None:
            return [self]
        return [self, *(each for each in self.issuer.chain() if each.issuer is not None)]


class Crl:
    """A list of revoked certificates."""

    def __init__(self, signed: x509.CertificateRevocationList) -> None:
        self.signed = signed
        self.pem = signed.public_bytes(Encoding.PEM).decode()
        self.der = signed.public_bytes(Encoding.DER)


def named(subject: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else [])


def general_name(name: str) -> x509.GeneralName:
    """The name in a certificate: "host", "127.0.0.1" or "spiffe://trust/path"."""
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def issue(
    subject: str = "leaf",
    *,
    issuer: Issued | None = None,
    ca: bool = False,
    path_length: int | None = None,
    names: Iterable[str | x509.GeneralName] = (),
    not_before: dt.datetime = NOW - DAY,
    not_after: dt.datetime = NOW + DAY,
    serial: int | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
    signed_with: ec.EllipticCurvePrivateKey | None = None,
    issuer_name: str | None = None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    by_the_book: bool = False,
) -> Issued:
    """A certificate for `subject`, self-signed without an `issuer`. `extensions` are pairs of one and its criticality.

    `signed_with` is a key in place of the issuer's, and makes the signature wrong. `by_the_book` adds what RFC 5280
    demands, and hardly anybody else: the identifiers of the keys, and the use of a CA's.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer_name) if issuer_name else issuer.certificate.subject if issuer else named(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    )
    alternatives = [general_name(each) if isinstance(each, str) else each for each in names]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not subject)
    if by_the_book:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        public = (issuer.key if issuer else key).public_key()
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        if ca:
            use = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(use, critical=True)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    signer = signed_with or (issuer.key if issuer else key)
    return Issued(builder.sign(signer, hashes.SHA256()), key, issuer)


def crl(
    issuer: Issued,
    revoked: Iterable[int] = (),
    *,
    last_update: dt.datetime = NOW - DAY,
    next_update: dt.datetime | None = NOW + DAY,
    signed_with: ec.EllipticCurvePrivateKey | None = None,
) -> Crl:
    """A CRL of `issuer` over serial numbers; `signed_with` as in issue()."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(last_update)
        .next_update(next_update)
    )
    for number in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(NOW - DAY)
        builder = builder.add_revoked_certificate(entry.build())
    return Crl(builder.sign(signed_with or issuer.key, hashes.SHA256()))
