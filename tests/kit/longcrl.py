"""A CRL with many entries, encoded by hand: `cryptography` takes minutes for what a CA publishes every day."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.kit.authority import DAY, NOW, Issued

SEQUENCE, INTEGER, BIT_STRING, UTC_TIME = 0x30, 0x02, 0x03, 0x17
ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def encoded(tag: int, content: bytes) -> bytes:
    """X.690, 8.1"""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def long_crl(issuer: Issued, revoked: Iterable[int]) -> bytes:
    """The DER of a list of these serial numbers, good for a day. RFC 5280, section 5.1."""
    before, after = (encoded(UTC_TIME, f"{moment:%y%m%d%H%M%S}Z".encode()) for moment in (NOW - DAY, NOW + DAY))
    entries = [
        encoded(SEQUENCE, encoded(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big")) + before)
        for number in revoked
    ]
    name = issuer.certificate.subject.public_bytes()
    version = encoded(INTEGER, b"\1")
    listed = encoded(
        SEQUENCE, version + ECDSA_WITH_SHA256 + name + before + after + encoded(SEQUENCE, b"".join(entries))
    )
    signature = issuer.key.sign(listed, ec.ECDSA(hashes.SHA256()))
    return encoded(SEQUENCE, listed + ECDSA_WITH_SHA256 + encoded(BIT_STRING, b"\0" + signature))
