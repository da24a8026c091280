"""Negotiated: what the two ends of a connection agreed on."""

from dataclasses import dataclass

import wiretight as ssl

UNKNOWN = "-"


@dataclass(frozen=True)
class Negotiated:
    """Read from a connection after its handshake. Unknown values are "-"."""

    protocol: str
    cipher: str
    bits: int | None
    group: str

    @classmethod
    def by(cls, connection: "ssl.SSLSocket | ssl.SSLObject") -> "Negotiated":
        """The parameters of `connection`."""
        cipher, _, bits = connection.cipher() or (UNKNOWN, "", None)
        return cls(connection.version() or UNKNOWN, cipher, bits, _group(connection))


def _group(connection: "ssl.SSLSocket | ssl.SSLObject") -> str:
    # A method of Python 3.15's interface that needs OpenSSL 3.2.
    try:
        return str(connection.group() or UNKNOWN)
    except (AttributeError, NotImplementedError):
        return UNKNOWN
