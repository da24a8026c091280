"""PrivateKey: what can be told of a private key without its password, and whether it is a certificate's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import wiretight as ssl
from wiretight._cli.cert import der
from wiretight._cli.cert.publickey import CURVES, kind_of_algorithm

_MOST = 100  # certificates to compare a key with
_FORMS = {"RSA PRIVATE KEY": "PKCS#1", "EC PRIVATE KEY": "SEC 1", "DSA PRIVATE KEY": "DSA"}


@dataclass(frozen=True)
class PrivateKey:
    """A private key. `key_type` and `key_bits` are None while it is encrypted. `fits` is the number of the certificate
    that it is the key of, None if it is of none or cannot be compared; `note` says why it could not.
    """

    form: str
    encrypted: bool
    key_type: str | None
    key_bits: int | None
    content: "bytes | None"  # PEM or DER
    fits: int | None = None
    note: str | None = None

    @property
    def words(self) -> str:
        """Such as "EC, 256 bits (PKCS#8)"."""
        if self.encrypted and self.key_type is None:
            return f"encrypted ({self.form})"
        bits = f", {self.key_bits} bits" if self.key_bits else ""
        return f"{self.key_type or 'of an unknown kind'}{bits} ({self.form}{', encrypted' if self.encrypted else ''})"

    def compared(self, certificates: Sequence[ssl.Certificate], password: "Callable[[], bytes] | None") -> "PrivateKey":
        """The same, with what is known now: which certificate it is the key of."""
        if self.content is None or not certificates:
            return self
        if self.encrypted and password is None:
            return replace(self, note="give --password or --password-file to compare it")
        for number, certificate in enumerate(certificates[:_MOST]):
            try:
                _credential(certificate, self.content, password)
            except NotImplementedError as error:
                return replace(self, note=str(error))
            except ssl.SSLError as error:
                if "mismatch" in str(error).lower():
                    continue
                wrong = "the password is wrong" if self.encrypted else "it cannot be decoded"
                return replace(self, note=wrong)
            return replace(self, fits=number, key_type=certificate.key_type, key_bits=certificate.key_bits)
        return self


def read_key(octets: bytes, label: str, encrypted: bool, pem: "bytes | None") -> PrivateKey:
    """The private key of a PEM block with this label, or of DER that would stand in one."""
    encrypted = encrypted or label == "ENCRYPTED PRIVATE KEY"
    form = _FORMS.get(label, "PKCS#8")
    content = octets if pem is None else pem
    if encrypted:
        return PrivateKey(form, True, None, None, content)
    key_type, key_bits = _kind(der.first_element(octets), form)
    return PrivateKey(form, False, key_type, key_bits, content)


def _credential(certificate: ssl.Certificate, content: bytes, password: "Callable[[], bytes] | None") -> ssl.Credential:
    if content.startswith(b"-----"):
        return ssl.Credential.from_pem(certificate.pem(), content, password=password)
    return ssl.Credential.from_der([certificate.der()], content, password=password)


def _kind(outer: der.Element, form: str) -> "tuple[str | None, int | None]":
    """RFC 5958, section 2; RFC 8017, A.1.2; RFC 5915, section 3."""
    parts = outer.parts
    if form == "PKCS#1":
        return "RSA", outer.part(1, der.INTEGER).number.bit_length()
    if form == "SEC 1":
        curve = next((part for part in parts if part.tag == der.CONTEXT | der.CONSTRUCTED), None)
        return "EC", None if curve is None else CURVES.get(curve.part(0, der.OID).oid)
    if form == "DSA":
        return "DSA", None
    key_type, key_bits = kind_of_algorithm(outer.part(1, der.SEQUENCE))
    if key_type in ("RSA", "RSA-PSS"):
        inner = der.first_element(outer.part(2, der.OCTET_STRING).content)
        key_bits = inner.part(1, der.INTEGER).number.bit_length()
    return key_type, key_bits
