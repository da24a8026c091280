"""TLS records as they appear on the wire (RFC 8446 section 5.1): no keys, no decryption."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

HEADER = 5

CHANGE_CIPHER_SPEC = 20
ALERT = 21
HANDSHAKE = 22
APPLICATION_DATA = 23


class Record(NamedTuple):
    """One record, or a part of one. After TLS 1.3's ServerHello every `type` is APPLICATION_DATA."""

    raw: bytes
    complete: bool

    @property
    def type(self) -> int:
        return self.raw[0]

    @property
    def body(self) -> bytes:
        return self.raw[HEADER:]

    def damaged(self) -> bytes:
        """The record with its last bit flipped: header intact, contents or authentication tag wrong."""
        return self.raw[:-1] + bytes([self.raw[-1] ^ 1])


def records(data: bytes) -> Iterator[Record]:
    """The records of `data`, in order. The remainder comes last, as an incomplete Record."""
    at = 0
    while at < len(data):
        header = data[at : at + HEADER]
        end = at + HEADER + int.from_bytes(header[3:5], "big")
        complete = len(header) == HEADER and end <= len(data)
        if not complete:
            end = len(data)
        yield Record(data[at:end], complete)
        at = end
