"""Issuer: makes the certificates of a CA for tests, with the `cryptography` package."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretight._cli.connect.chain import is_address
from wiretight._cli.errors import CommandError, UsageError

if TYPE_CHECKING:
    from cryptography import x509

KEY_TYPES = ("ec", "rsa", "ed25519")
CA_DAYS = 3650

_ORGANIZATION = "made by wiretight, for tests"
_AGO = dt.timedelta(hours=1)  # since when it is valid: clocks differ


@dataclass(frozen=True)
class Made:
    """A certificate and its private key, both of the `cryptography` package."""

    certificate: "x509.Certificate"
    key: Any

    @property
    def pem(self) -> bytes:
        """The certificate."""
        encoding = _serialization().Encoding.PEM
        return self.certificate.public_bytes(encoding)

    @property
    def key_pem(self) -> bytes:
        """The private key in PKCS#8, not encrypted."""
        of = _serialization()
        pem: bytes = self.key.private_bytes(of.Encoding.PEM, of.PrivateFormat.PKCS8, of.NoEncryption())
        return pem


class Issuer:
    """A CA, which signs the certificates of servers and clients; its own is `made`."""

    def __init__(self, made: Made) -> None:
        self.made = made

    @classmethod
    def new(cls, key_type: str) -> "Issuer":
        """A fresh CA, valid for ten years. Its name says what it is, and differs from that of any other."""
        x509 = _x509()
        key = _new_key(key_type)
        name = _name(f"CA {x509.random_serial_number():x}"[:19], _ORGANIZATION)
        builder = _builder(name, name, key, CA_DAYS, None)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(digital_signature=False, signs_certificates=True), critical=True)
        return cls(Made(_signed(builder, key), key))

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> "Issuer":
        """The CA of these files. Raises ValueError for what is none that was made here."""
        x509, serialization = _x509(), _serialization()
        made = Made(x509.load_pem_x509_certificate(certificate), serialization.load_pem_private_key(key, None))
        if made.certificate.public_key() != made.key.public_key() or not _is_ours(made.certificate):
            raise ValueError("it is no CA that wiretight has made")
        return cls(made)

    def issue_server(self, names: Sequence[str], key_type: str, days: int) -> Made:
        """A server's, for these names and addresses."""
        x509 = _x509()
        alternatives = [_alternative(name) for name in names]
        return self._issue(names[0], alternatives, x509.ExtendedKeyUsageOID.SERVER_AUTH, key_type, days)

    def issue_client(self, name: str, key_type: str, days: int) -> Made:
        """A client's; its common name is `name`."""
        x509 = _x509()
        alternatives = [x509.RFC822Name(name)] if _is_mail(name) else []
        return self._issue(name, alternatives, x509.ExtendedKeyUsageOID.CLIENT_AUTH, key_type, days)

    def has_issued(self, certificate: bytes) -> bool:
        """Whether the first certificate in this PEM text is one of this CA's."""
        try:
            found = _x509().load_pem_x509_certificate(certificate)
            found.verify_directly_issued_by(self.made.certificate)
        except Exception:  # whatever is wrong with it: it is somebody else's
            return False
        return True

    def _issue(self, name: str, alternatives: list[Any], purpose: Any, key_type: str, days: int) -> Made:
        x509 = _x509()
        key = _new_key(key_type)
        ca = self.made.certificate
        builder = _builder(_name(name[:64]), ca.subject, key, days, self._expiry)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(digital_signature=True, signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer_key = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key)
        builder = builder.add_extension(identifier, critical=False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return Made(_signed(builder, self.made.key), key)

    @property
    def has_expired(self) -> bool:
        """Whether nobody accepts any more what it signs."""
        return self._expiry <= dt.datetime.now(dt.timezone.utc)

    @property
    def _expiry(self) -> dt.datetime:
        return not_after(self.made.certificate)


def not_after(certificate: "x509.Certificate") -> dt.datetime:
    """Until when it is valid, in UTC."""
    return certificate.not_valid_after_utc


def names_of(certificate: bytes) -> "tuple[str, list[str]]":
    """(common name, alternative names) of a certificate in PEM."""
    x509 = _x509()
    found = x509.load_pem_x509_certificate(certificate)
    common = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    try:
        alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        alternatives = []
    return str(common[0].value) if common else "", [str(name.value) for name in alternatives]


def check_installed() -> None:
    """Raises `CommandError` without the `cryptography` package."""
    _x509()


def check_names(names: Sequence[str]) -> None:
    """Raises `UsageError` for what cannot be the name of a server."""
    for name in names:
        try:
            _alternative(name)
        except ValueError as error:
            raise UsageError(f"--name {name!r} cannot be a server's name: {error}") from error


def check_client(name: str) -> None:
    """Raises `UsageError` for what cannot be the name of a client."""
    if not 0 < len(name) <= 64 or not name.isprintable():
        raise UsageError(f"--client {name!r} cannot be a name: it has 1 to 64 printable characters")


# --- What a certificate is made of ------------------------------------------------------------------------------------


def _builder(name: Any, issuer: Any, key: Any, days: int, limit: "dt.datetime | None") -> Any:
    x509 = _x509()
    start = dt.datetime.now(dt.timezone.utc).replace(microsecond=0) - _AGO
    until = start + dt.timedelta(days=days, seconds=-1)  # which counts (RFC 5280, section 4.1.2.5)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(until if limit is None else min(until, limit))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _name(common: str, organization: "str | None" = None) -> Any:
    x509 = _x509()
    parts = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common)]
    if organization is not None:
        parts.insert(0, x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _is_ours(certificate: "x509.Certificate") -> bool:
    found = certificate.subject.get_attributes_for_oid(_x509().NameOID.ORGANIZATION_NAME)
    return [each.value for each in found] == [_ORGANIZATION]


def _alternative(name: str) -> Any:
    x509 = _x509()
    if is_address(name):
        return x509.IPAddress(ipaddress.ip_address(name))
    host = name.removeprefix("*.")
    label = host.encode("idna").decode("ascii")  # UnicodeError is a ValueError
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    if not label or set(label) - allowed or label.startswith("."):
        raise ValueError("a host, *.host or an address is one")
    return x509.DNSName(name[: len(name) - len(host)] + label)


def _is_mail(name: str) -> bool:
    return name.isascii() and name.count("@") == 1 and " " not in name


def _key_usage(*, digital_signature: bool, signs_certificates: bool) -> Any:
    return _x509().KeyUsage(
        digital_signature=digital_signature, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _new_key(key_type: str) -> Any:
    _x509()
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if key_type == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if key_type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def _signed(builder: Any, key: Any) -> Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


# --- The package ------------------------------------------------------------------------------------------------------


def _x509() -> Any:
    try:
        from cryptography import x509
    except ImportError:
        sentence = "certificates are made with cryptography, which is missing: pip install 'wiretight[demo]'"
        raise CommandError(sentence) from None
    return x509


def _serialization() -> Any:
    _x509()
    from cryptography.hazmat.primitives import serialization

    return serialization
