"""Fingerprints of a client, by what its ClientHello offers: JA4, and its predecessor JA3.

They tell programs apart, not persons; and whoever wants to look like another program can. GREASE counts nowhere.
JA4 for TLS clients is under the BSD licence (its kin, such as JA4S, are not).
Sources: github.com/FoxIO-LLC/ja4, technical_details/JA4.md; github.com/salesforce/ja3.
"""

from __future__ import annotations

from hashlib import md5, sha256
from typing import TYPE_CHECKING

from wiretight._core.base.numerals import Numerals, is_grease

if TYPE_CHECKING:
    from wiretight._tls.clienthello import ClientHello

_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_SERVER_NAME, _ALPN = 0, 16
_NOTHING = "000000000000"


def ja4(hello: ClientHello) -> str:
    """The offer in short, a digest of its cipher suites, and one of its extensions and signature algorithms."""
    return "_".join((_offer(hello), _digest(_suites(hello)), _digest(_extensions(hello))))


def ja4_r(hello: ClientHello) -> str:
    """The same with lists instead of their digests."""
    return "_".join((_offer(hello), _suites(hello), _extensions(hello)))


def ja3(hello: ClientHello) -> str:
    """Five lists in the client's order, as decimal numbers; what is compared is their MD5."""
    lists = (hello.cipher_suites, hello.extensions, hello.groups, hello.point_formats)
    return ",".join((str(hello.legacy_version), *(Numerals(numbers).decimal() for numbers in lists)))


def ja3_hash(hello: ClientHello) -> str:
    """The MD5 of it, as hexadecimal digits."""
    return md5(ja3(hello).encode("ascii"), usedforsecurity=False).hexdigest()


def _offer(hello: ClientHello) -> str:
    """Such as t13d1516h2: over TCP, TLS 1.3, with a server name (or i), 15 suites, 16 extensions, first protocol h2."""
    versions = (number for number in hello.supported_versions if not is_grease(number))
    version = max(versions, default=hello.legacy_version)
    name = "d" if _SERVER_NAME in hello.extensions else "i"
    counts = "".join(f"{min(len(Numerals(numbers)), 99):02}" for numbers in (hello.cipher_suites, hello.extensions))
    return f"t{_VERSIONS.get(version, '00')}{name}{counts}{_ends(hello)}"


def _ends(hello: ClientHello) -> str:
    """The first and last character of the first protocol, or of its digits if one of them is no letter or digit."""
    first = hello.alpn_protocols[0] if hello.alpn_protocols else "00"
    ends = first[0] + first[-1]
    if not (ends.isascii() and ends.isalnum()):
        digits = first.encode("latin-1").hex()
        return digits[0] + digits[-1]
    return ends


def _suites(hello: ClientHello) -> str:
    suites = Numerals(hello.cipher_suites)
    suites.sort()
    return suites.hexadecimal()


def _extensions(hello: ClientHello) -> str:
    """Without the server's name and ALPN, which would tell one use of a program from another."""
    extensions = Numerals(tuple(number for number in hello.extensions if number not in (_SERVER_NAME, _ALPN)))
    extensions.sort()
    signatures = Numerals(hello.signature_algorithms)
    lists = (extensions, signatures) if extensions and signatures else (extensions,)
    return "_".join(each.hexadecimal() for each in lists)


def _digest(numbers: str) -> str:
    return sha256(numbers.encode("ascii")).hexdigest()[:12] if numbers else _NOTHING
