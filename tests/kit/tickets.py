"""Session tickets as they are on the wire: what a server issues, and what is in them for who has the key."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from tests.kit.pair import Pair
from tests.kit.subject import tls


class Seen(NamedTuple):
    resumed: bool
    tickets: list[bytes]
    session: Any


def visit(client_context: Any, server_context: Any, session: Any = None) -> Seen:
    """A connection that reads something, and with it the tickets."""
    tickets: list[bytes] = []

    def collect(_: Any, direction: str, version: Any, content: Any, kind: Any, data: bytes) -> None:
        if direction == "write" and getattr(kind, "name", "") == "NEWSESSION_TICKET":
            tickets.append(ticket_of(data, version))

    server_context.message_callback = collect
    pair = Pair(client_context, server_context, session=session)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    pair.transfer(b"data", pair.client)
    server_context.message_callback = None
    assert pair.client.session_reused is pair.server.session_reused
    return Seen(pair.client.session_reused, tickets, pair.client.session)


def ticket_of(message: bytes, version: Any) -> bytes:
    """Of a NewSessionTicket: RFC 5077, section 3.3; RFC 8446, section 4.6.1."""
    rest = message[8:]  # type and length, lifetime
    if version == tls.TLSVersion.TLSv1_3:
        rest = rest[4:]  # the age
        rest = rest[1 + rest[0] :]  # a nonce
    return rest[2 : 2 + int.from_bytes(rest[:2], "big")]


def content_of(ticket: bytes, key_file: bytes) -> bytes:
    """What a ticket contains, by a key file of nginx: RFC 5077, section 4, with OpenSSL's choice of algorithms.

    Raises ValueError if it was made with another key.
    """
    name, secret = key_file[:16], key_file[16:]
    mac_key, cipher_key = (secret[:32], secret[32:]) if len(secret) == 64 else (secret[16:], secret[:16])
    if ticket[:16] != name:
        raise ValueError("the ticket names another key")
    if not hmac.compare_digest(hmac.new(mac_key, ticket[:-32], hashlib.sha256).digest(), ticket[-32:]):
        raise ValueError("the ticket was made with another key of that name")
    decryptor = Cipher(AES(cipher_key), CBC(ticket[16:32])).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(ticket[32:-32]) + decryptor.finalize()) + unpadder.finalize()
