"""TLS records forged from a key log: what a peer may send, but no TLS library sends by itself."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.kit.certificates import Certificates
from tests.kit.subject import tls

ALERT, HANDSHAKE, APPLICATION_DATA = 21, 22, 23
WARNING = 1
CLOSE_NOTIFY, USER_CANCELED = 0, 90


def forgeable_contexts(certificates: Certificates, key_log: Path) -> tuple[Any, Any]:
    """A client's and a server's, whose records a Forger can make."""
    server_context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    server_context.num_tickets = 0
    server_context.keylog_filename = str(key_log)
    client_context = certificates.client_context(tls.TLSVersion.TLSv1_3)
    client_context.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    return client_context, server_context


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

    def record(self, content_type: int, content: bytes, padding: int = 0) -> bytes:
        plain = content + bytes([content_type]) + bytes(padding)
        header = bytes([APPLICATION_DATA, 3, 3]) + (len(plain) + 16).to_bytes(2, "big")
        nonce = (self.iv ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        return header + self.aead.encrypt(nonce, plain, header)

    def data(self, content: bytes = b"") -> bytes:
        """A record of application data; an empty one is allowed."""
        return self.record(APPLICATION_DATA, content)

    def warning(self, alert: int) -> bytes:
        return self.record(ALERT, bytes([WARNING, alert]))

    def key_update(self, *, requested: bool, padding: int = 0) -> bytes:
        """A KeyUpdate, and whether it requests one in return; the next record has the next key."""
        record = self.record(HANDSHAKE, bytes([24, 0, 0, 1, requested]), padding)
        self._use(self._expand(b"traffic upd", 32))
        return record


class Forger12:
    """The same in TLS 1.2, with ECDHE-RSA-AES128-GCM-SHA256 or its like, after a Finished and one record of data.

    `server_hello` is the server's first record. Source: RFC 5246, sections 5 and 6.3; RFC 5288, 3.
    """

    def __init__(self, key_log: Path, server_hello: bytes) -> None:
        lines = (line.split() for line in key_log.read_text().splitlines())
        randoms = next(line[1:] for line in lines if line[0] == "CLIENT_RANDOM")
        client_random, master = map(bytes.fromhex, randoms)
        block = self._prf(master, b"key expansion" + server_hello[11:43] + client_random, 40)
        self.aead, self.salt = AESGCM(block[16:32]), block[36:40]
        self.sequence = 2

    @staticmethod
    def _prf(secret: bytes, seed: bytes, size: int) -> bytes:
        made, at = b"", seed
        while len(made) < size:
            at = hmac.digest(secret, at, "sha256")
            made += hmac.digest(secret, at + seed, "sha256")
        return made[:size]

    def record(self, content_type: int, content: bytes) -> bytes:
        explicit = self.sequence.to_bytes(8, "big")
        self.sequence += 1
        additional = explicit + bytes([content_type, 3, 3]) + len(content).to_bytes(2, "big")
        body = explicit + self.aead.encrypt(self.salt + explicit, content, additional)
        return bytes([content_type, 3, 3]) + len(body).to_bytes(2, "big") + body
