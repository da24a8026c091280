"""What one exchange with a peer is about, and what the peer itself says of it."""

from __future__ import annotations

import os
import ssl as standard
from pathlib import Path
from typing import Any, NamedTuple

from tests.kit.certificates import Certificates, Credentials

# What a row of the table is made of: the peer's role, and what is tried in it.
CLIENT, SERVER = "client", "server"
ROLES = (CLIENT, SERVER)

PLAIN = "plain"
CLIENT_CERTIFICATE = "client certificate"
RESUMPTION = "resumption"
ALPN = "ALPN"
MEBIBYTE = "1 MiB echo"
HALF_CLOSE = "half-close"
CAPABILITIES = (PLAIN, CLIENT_CERTIFICATE, RESUMPTION, ALPN, MEBIBYTE, HALF_CLOSE)

VERSIONS = (standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3)


def lines_of_digits(count: int) -> bytes:
    """Random lines of 64 bytes: programs for terminals read data by lines, and interpret letters as commands."""
    return b"".join(b"%063d\n" % (int.from_bytes(os.urandom(26), "big") % 10**63) for _ in range(count))


class Terms(NamedTuple):
    """One exchange: the client sends `data`, and the server sends it back when it has all of it."""

    certificates: Certificates
    version: standard.TLSVersion
    folder: Path  # for the peer's own files
    data: bytes
    alpn: tuple[str, ...] = ()  # what the peer offers, or takes
    client_credentials: Credentials | None = None  # of a client
    demands_certificate: bool = False  # a server
    resume: bool = False  # a client connects twice, the second time with the session of the first
    half_close: bool = False  # the client's direction ends first, and only then does the server answer

    @property
    def connections(self) -> int:
        """How many the client makes."""
        return 2 if self.resume else 1

    @property
    def number(self) -> str:
        """The version as most programs write it: 1.2 or 1.3."""
        return self.name.removeprefix("TLSv")

    @property
    def name(self) -> str:
        """The version as `ssl` writes it: TLSv1.2 or TLSv1.3."""
        return self.name_of(self.version)

    @staticmethod
    def name_of(version: standard.TLSVersion) -> str:
        return version.name.replace("_", ".")


# What a peer says of a connection, as far as it says it: "version", "alpn", "resumed", "certificate"; and "exported", a
# secret in hexadecimal digits (test_exporter.py).
Said = dict[str, Any]


class Answer(NamedTuple):
    """What a peer received as a client, and what it reports of the connection."""

    data: bytes
    said: Said
