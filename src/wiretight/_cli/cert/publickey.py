"""Public keys: the kind and size that a SubjectPublicKeyInfo names (RFC 5280, section 4.1.2.7)."""

from wiretight._cli.cert import der

CURVES = {  # RFC 5480, section 2.1.1.1: the size of the key (bits)
    "1.2.840.10045.3.1.7": 256,
    "1.3.132.0.34": 384,
    "1.3.132.0.35": 521,
    "1.3.132.0.10": 256,
    "1.3.132.0.33": 224,
}
_KINDS = {
    "1.2.840.113549.1.1.1": ("RSA", None),
    "1.2.840.113549.1.1.10": ("RSA-PSS", None),
    "1.2.840.10045.2.1": ("EC", None),
    "1.3.101.112": ("ED25519", 256),
    "1.3.101.113": ("ED448", 456),
    "2.16.840.1.101.3.4.3.17": ("ML-DSA-44", None),
    "2.16.840.1.101.3.4.3.18": ("ML-DSA-65", None),
    "2.16.840.1.101.3.4.3.19": ("ML-DSA-87", None),
}


def kind_of_algorithm(algorithm: der.Element) -> "tuple[str, int | None]":
    """(OpenSSL's name, bits) of an AlgorithmIdentifier; None for bits that it does not tell."""
    parts = algorithm.parts
    oid = algorithm.part(0, der.OID).oid
    kind, bits = _KINDS.get(oid, (der.short_name(oid), None))
    if kind == "EC" and len(parts) > 1 and parts[1].tag == der.OID:
        bits = CURVES.get(parts[1].oid)
    return kind, bits


def kind_of_key(info: der.Element) -> "tuple[str, int | None]":
    """The same of a whole SubjectPublicKeyInfo, with the size of an RSA key."""
    kind, bits = kind_of_algorithm(info.part(0, der.SEQUENCE))
    if kind in ("RSA", "RSA-PSS"):
        bits = der.first_element(info.part(1, der.BIT_STRING).bits).part(0, der.INTEGER).number.bit_length()
    return kind, bits
