"""Request: a certificate signing request (PKCS#10, RFC 2986)."""

import hashlib
from dataclasses import dataclass

from wiretight._cli.cert import der
from wiretight._cli.cert.extensions import extensions_in, names_in
from wiretight._cli.cert.publickey import kind_of_key
from wiretight._cli.connect.chain import in_words

_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_ALTERNATIVE_NAMES = "2.5.29.17"


@dataclass(frozen=True)
class Request:
    """What a certificate is asked for: the subject, the names, and the key that it would be of."""

    subject: str
    names: list[str]
    key_type: str
    key_bits: int | None
    signature: str
    spki_sha256: str


def read_request(octets: bytes) -> Request:
    """Raises ValueError for what is none."""
    outer = der.first_element(octets)
    asked = outer.part(0, der.SEQUENCE)
    key = asked.part(2, der.SEQUENCE)
    key_type, key_bits = kind_of_key(key)
    return Request(
        subject=in_words(der.distinguished_name(asked.part(1, der.SEQUENCE))),
        names=_names(asked),
        key_type=key_type,
        key_bits=key_bits,
        signature=der.long_name(outer.part(1, der.SEQUENCE).part(0, der.OID).oid),
        spki_sha256=hashlib.sha256(key.whole).hexdigest(),
    )


def _names(asked: der.Element) -> list[str]:
    attributes = [part for part in asked.parts if part.tag == der.CONTEXT | der.CONSTRUCTED]
    for attribute in attributes[0].parts if attributes else ():
        if attribute.part(0, der.OID).oid == _EXTENSION_REQUEST:
            found = extensions_in(attribute.part(1, der.SET).part(0, der.SEQUENCE))
            if _ALTERNATIVE_NAMES in found:
                return names_in(der.first_element(found[_ALTERNATIVE_NAMES].value))
    return []
