"""Extensions: what a certificate may be used for (RFC 5280, section 4.2)."""

import ipaddress
import itertools
from dataclasses import dataclass

import wiretight as ssl
from wiretight._cli.cert import der
from wiretight._cli.connect.chain import in_words

_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_KEY_USAGE = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_MOST_NAMES = 10_000
_TLS_FEATURE = "1.3.6.1.5.5.7.1.24"
_USES = (  # section 4.2.1.3, by the number of the bit
    "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign",
    "cRLSign", "encipherOnly", "decipherOnly",
)  # fmt: skip
_DNS, _EMAIL, _URI, _ADDRESS = der.CONTEXT | 2, der.CONTEXT | 1, der.CONTEXT | 6, der.CONTEXT | 7
_DIRECTORY = der.CONTEXT | der.CONSTRUCTED | 4


@dataclass(frozen=True)
class Extension:
    """One extension, with the DER of its value."""

    critical: bool
    value: memoryview


@dataclass(frozen=True)
class Uses:
    """What a certificate is for. A list is None without the extension, which then limits nothing."""

    is_ca: bool = False
    path_length: int | None = None
    key_usage: "list[str] | None" = None
    extended_key_usage: "list[str] | None" = None
    must_staple: bool = False

    def serves(self, purpose: str) -> bool:
        """Whether it may be a "serverAuth" or "clientAuth"."""
        extended = self.extended_key_usage
        return extended is None or bool({purpose, "anyExtendedKeyUsage"} & set(extended))


def uses_of(certificate: ssl.Certificate) -> Uses:
    """What its extensions say; those that cannot be decoded say nothing, and OpenSSL refuses the certificate."""
    try:
        found = _extensions(certificate)
        constraints = _decoded(found, _BASIC_CONSTRAINTS)
        parts = constraints.parts if constraints is not None else []
        is_ca = bool(parts) and parts[0].tag == der.BOOLEAN and any(parts[0].content)
        extended = _decoded(found, _EXTENDED_KEY_USAGE)
        return Uses(
            is_ca=is_ca,
            path_length=parts[1].number if len(parts) > 1 and parts[1].tag == der.INTEGER else None,
            key_usage=_key_usage(_decoded(found, _KEY_USAGE)),
            extended_key_usage=None if extended is None else [der.short_name(each.oid) for each in extended.parts],
            must_staple=_TLS_FEATURE in found,
        )
    except ValueError:
        return Uses()


def extensions_in(sequence: der.Element) -> dict[str, Extension]:
    """By their object identifiers; of one that is repeated, the first."""
    found: dict[str, Extension] = {}
    for extension in sequence.parts:
        parts = extension.parts
        if len(parts) not in (2, 3) or parts[-1].tag != der.OCTET_STRING:
            raise ValueError("an extension that is none")
        found.setdefault(parts[0].oid, Extension(len(parts) == 3 and any(parts[1].content), parts[-1].content))
    return found


def names_in(sequence: der.Element) -> list[str]:
    """Of GeneralNames (section 4.2.1.6)."""
    return [_name(name) for name in itertools.islice(sequence.each(), _MOST_NAMES)]


def _name(name: der.Element) -> str:
    if name.tag == _ADDRESS and len(name.content) in (4, 16):
        return str(ipaddress.ip_address(bytes(name.content)))
    if name.tag == _DIRECTORY:
        return in_words(der.distinguished_name(name.part(0, der.SEQUENCE)))
    if name.tag in (_DNS, _EMAIL, _URI):
        return name.text
    return "(of another kind)"


def _extensions(certificate: ssl.Certificate) -> dict[str, Extension]:
    tbs = der.first_element(certificate.der()).part(0, der.SEQUENCE)
    for part in tbs.parts:
        if part.tag == der.CONTEXT | der.CONSTRUCTED | 3:
            return extensions_in(part.part(0, der.SEQUENCE))
    return {}


def _decoded(found: dict[str, Extension], oid: str) -> "der.Element | None":
    return der.first_element(found[oid].value) if oid in found else None


def _key_usage(bits: "der.Element | None") -> "list[str] | None":
    if bits is None:
        return None
    octets = bytes(bits.bits)
    return [use for at, use in enumerate(_USES) if at // 8 < len(octets) and octets[at // 8] >> (7 - at % 8) & 1]
