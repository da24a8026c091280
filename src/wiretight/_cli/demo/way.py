"""Way: one manner of moving the demo's file, and what every one of them is given and gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import wiretight as ssl
from wiretight._cli.demo.download import Download
from wiretight._cli.negotiated import Negotiated

STALLED = 30.0  # seconds without a byte after which a transfer is given up


@dataclass(frozen=True)
class Target:
    """The server to fetch from. `context` trusts it; `ca_file` is for programs that do not take a context."""

    host: str
    port: int
    name: str
    context: ssl.SSLContext
    ca_file: Path
    tls: str | None


@dataclass
class Passage:
    """What a way saw: what was negotiated, and how many seconds each of its handshakes took."""

    negotiated: Negotiated | None = None
    handshakes: list[float] = field(default_factory=list)


class NotInstalledError(Exception):
    """The program that a way runs is not on this machine."""


Way = Callable[[Target, list[Download]], Passage]
