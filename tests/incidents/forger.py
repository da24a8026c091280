"""TLS 1.3 records made by hand from a key log: what a peer may send, and no TLS library sends by itself."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HANDSHAKE, APPLICATION_DATA = 22, 23


class Forger:
    """The server's side of a connection that uses TLS_AES_128_GCM_SHA256 and has sent nothing since its handshake.

    Source: RFC 8446, sections 5.2, 7.1 and 7.2.
    """

    def __init__(self, key_log: Path) -> None:
        lines = (line.split() for line in key_log.read_text().splitlines() if not line.startswith("#"))
        self._use(next(bytes.fromhex(line[2]) for line in lines if line[0] == "SERVER_TRAFFIC_SECRET_0"))

    def _use(self, secret: bytes) -> None:
        self.secret = secret
        self.aead = AESGCM(self._expand(b"key", 16))
        self.iv = int.from_bytes(self._expand(b"iv", 12), "big")
        self.sequence = 0

    def _expand(self, label: bytes, size: int) -> bytes:
        label = b"tls13 " + label
        info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
        return HKDFExpand(hashes.SHA256(), size, info).derive(self.secret)

    def record(self, content_type: int, content: bytes) -> bytes:
        plain = content + bytes([content_type])
        header = bytes([APPLICATION_DATA, 3, 3]) + (len(plain) + 16).to_bytes(2, "big")
        nonce = (self.iv ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        return header + self.aead.encrypt(nonce, plain, header)

    def data(self, content: bytes = b"") -> bytes:
        """A record of application data; an empty one is allowed."""
        return self.record(APPLICATION_DATA, content)

    def key_update(self, *, requested: bool) -> bytes:
        """A KeyUpdate, and whether it asks for one in return; the next record has the next key."""
        record = self.record(HANDSHAKE, bytes([24, 0, 0, 1, requested]))
        self._use(self._expand(b"traffic upd", 32))
        return record
