"""Hello: a ClientHello, written by hand, because it asks for what the OpenSSL at hand may not have."""

import os
from dataclasses import dataclass

from wiretight._cli.scan.suites import FALLBACK_SCSV, RENEGOTIATION_SCSV
from wiretight._cli.trace.names import GROUPS, SIGNATURES

SSL2, SSL3, TLS10, TLS11, TLS12, TLS13 = 0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304

_FIRST_GROUPS = (4588, 29, 23, 24)  # what most clients send, before what else there is
ALL_GROUPS = (*_FIRST_GROUPS, *sorted(GROUPS.keys() - set(_FIRST_GROUPS)))
ALL_SIGNATURES = tuple(sorted(SIGNATURES, reverse=True))
P256 = 23
DEFLATE, LZS, NULL = 1, 64, 0  # compression (RFC 3749, RFC 3943)

# RFC 8446, 4.2.8.2: the base point of P-256 as a public key. Its private key is 1, so that what the server and we share
# is the server's own public value: whoever hears it can decrypt it, which is its certificate and nothing of ours.
_BASE_POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


@dataclass(frozen=True)
class Hello:
    """What is offered. Without a key `share`, a server that speaks TLS 1.3 answers which group it wants one for."""

    version: int
    suites: tuple[int, ...]
    groups: tuple[int, ...] = ALL_GROUPS
    signatures: tuple[int, ...] = ALL_SIGNATURES
    server_name: str | None = None
    alpn: tuple[str, ...] = ()
    compressions: tuple[int, ...] = (NULL,)
    share: bool = False
    is_fallback: bool = False

    def message(self) -> bytes:
        """The handshake message (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2)."""
        is_1_3 = self.version == TLS13
        suites = list(self.suites)
        if not is_1_3:
            suites.append(RENEGOTIATION_SCSV)
        if self.is_fallback:
            suites.append(FALLBACK_SCSV)
        body = min(self.version, TLS12).to_bytes(2, "big") + os.urandom(32)
        body += _vector(1, os.urandom(32) if is_1_3 else b"")
        body += _vector(2, _numbers(suites)) + _vector(1, bytes(self.compressions))
        if self.version > SSL3:
            body += _vector(2, b"".join(_number(kind) + _vector(2, data) for kind, data in self._extensions()))
        return b"\x01" + _vector(3, body)

    def record(self, message: bytes) -> bytes:
        """The message as it goes over the wire."""
        return b"\x16" + _number(min(self.version, TLS10)) + _vector(2, message)

    def _extensions(self) -> list[tuple[int, bytes]]:
        is_1_3 = self.version == TLS13
        found = []
        if self.server_name is not None:
            found.append((0, _vector(2, b"\0" + _vector(2, self.server_name.encode("ascii")))))
        found += [(5, b"\x01\0\0\0\0"), (10, _vector(2, _numbers(self.groups)))]
        if not is_1_3:
            found += [(11, b"\x01\0"), (22, b""), (23, b""), (35, b"")]
        if self.version >= TLS12:
            found.append((13, _vector(2, _numbers(self.signatures))))
            if self.signatures != ALL_SIGNATURES:  # it is asked how the server signs, not its CA
                found.append((50, _vector(2, _numbers(ALL_SIGNATURES))))
        if self.alpn:
            found.append((16, _vector(2, b"".join(_vector(1, name.encode("ascii")) for name in self.alpn))))
        if is_1_3:
            shares = _number(P256) + _vector(2, _BASE_POINT) if self.share else b""
            found += [(43, _vector(1, _number(TLS13))), (45, b"\x01\x01"), (51, _vector(2, shares))]
        return found


# SSL 2.0 has a hello and a numbering of its own: https://datatracker.ietf.org/doc/html/draft-hickman-netscape-ssl-00
SSL2_CIPHERS = {
    0x010080: "RC4-MD5", 0x020080: "EXP-RC4-MD5", 0x030080: "RC2-CBC-MD5", 0x040080: "EXP-RC2-CBC-MD5",
    0x050080: "IDEA-CBC-MD5", 0x060040: "DES-CBC-MD5", 0x0700C0: "DES-CBC3-MD5",
}  # fmt: skip


def ssl2_record() -> bytes:
    """The CLIENT-HELLO of SSL 2.0."""
    ciphers = b"".join(number.to_bytes(3, "big") for number in SSL2_CIPHERS)
    body = b"\x01\0\x02" + _number(len(ciphers)) + _number(0) + _number(16) + ciphers + os.urandom(16)
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def _vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _number(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _numbers(values: "list[int] | tuple[int, ...]") -> bytes:
    return b"".join(map(_number, values))
