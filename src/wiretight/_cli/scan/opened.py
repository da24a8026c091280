"""Opened: what a TLS 1.3 server sends encrypted, opened without the help of OpenSSL (RFC 8446, RFC 8439).

The session's secret is no secret (see hello.py), and nothing of value is ever sent in it: this code protects nothing,
and need not hide its timing. It lets a scan see what is encrypted since TLS 1.3: ALPN, certificates, how they are
signed, stapled OCSP responses and the CAs of clients; whatever OpenSSL is there, and without a whole handshake.
"""

import hashlib
import hmac
import struct

CHACHA20 = 0x1303  # TLS_CHACHA20_POLY1305_SHA256: of the ciphers of TLS 1.3, the one that needs no tables

_WORD = 0xFFFFFFFF
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
_COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
_ROUNDS = _COLUMNS + _DIAGONALS
_PRIME, _CLAMP = (1 << 130) - 5, 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF


class Unopened(Exception):
    """It cannot be opened: another cipher, a share that is no point of P-256, or a tag that is wrong."""


class Keys:
    """The server's keys for its handshake, from the transcript and from what both know."""

    def __init__(self, transcript: bytes, suite: int, share: bytes) -> None:
        """`transcript` is ClientHello and ServerHello, `share` the server's point. Raises Unopened."""
        if suite != CHACHA20 or len(share) != 65 or share[0] != 4:
            raise Unopened
        secret = share[1:33]  # the x of 1 times this point
        early = hmac.digest(bytes(32), bytes(32), "sha256")
        handshake = hmac.digest(_derived(early, b"derived", hashlib.sha256().digest(), 32), secret, "sha256")
        traffic = _derived(handshake, b"s hs traffic", hashlib.sha256(transcript).digest(), 32)
        self._key = struct.unpack("<8I", _derived(traffic, b"key", b"", 32))
        self._iv = int.from_bytes(_derived(traffic, b"iv", b"", 12), "big")
        self._number = 0

    def open(self, record: bytes) -> tuple[int, bytes]:
        """The type and the content of the next record. Raises Unopened."""
        nonce = struct.unpack("<3I", (self._iv ^ self._number).to_bytes(12, "big"))
        self._number += 1
        sealed, tag = record[:-16], record[-16:]
        header = b"\x17\x03\x03" + len(record).to_bytes(2, "big")
        if not hmac.compare_digest(tag, self._tag(nonce, header, sealed)):
            raise Unopened
        stream = b"".join(self._block(at + 1, nonce) for at in range((len(sealed) + 63) // 64))
        opened = bytes(a ^ b for a, b in zip(sealed, stream, strict=False)).rstrip(b"\0")
        if not opened:
            raise Unopened
        return opened[-1], opened[:-1]

    def _tag(self, nonce: tuple[int, ...], header: bytes, sealed: bytes) -> bytes:
        """Poly1305."""
        once = self._block(0, nonce)
        factor, total = int.from_bytes(once[:16], "little") & _CLAMP, 0
        data = _padded(header) + _padded(sealed) + struct.pack("<QQ", len(header), len(sealed))
        for at in range(0, len(data), 16):
            total = (total + int.from_bytes(data[at : at + 16] + b"\x01", "little")) * factor % _PRIME
        return ((total + int.from_bytes(once[16:32], "little")) & ((1 << 128) - 1)).to_bytes(16, "little")

    def _block(self, counter: int, nonce: tuple[int, ...]) -> bytes:
        """Of the key stream of ChaCha20."""
        start = (*_CONSTANTS, *self._key, counter, *nonce)
        state = list(start)
        for _ in range(10):
            for a, b, c, d in _ROUNDS:
                for one, two, three, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                    state[one] = (state[one] + state[two]) & _WORD
                    mixed = state[three] ^ state[one]
                    state[three] = (mixed << bits | mixed >> (32 - bits)) & _WORD
        return struct.pack("<16I", *((a + b) & _WORD for a, b in zip(state, start, strict=True)))


def _derived(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """HKDF-Expand-Label, of up to 32 bytes (RFC 8446, 7.1)."""
    label = b"tls13 " + label
    info = struct.pack(">H", size) + bytes([len(label)]) + label + bytes([len(context)]) + context
    return hmac.digest(secret, info + b"\x01", "sha256")[:size]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)
