"""Way: one method of transferring the demo's file, with the arguments and results that all of them share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import wiretight as ssl
from wiretight._cli.demo.download import Download
from wiretight._cli.negotiated import Negotiated

STALLED = 30.0  # seconds without a byte after which a transfer is aborted


@dataclass(frozen=True)
class Target:
    """The server to fetch from. `context` trusts it; `ca_file` is for programs that cannot use a context."""

    host: str
    port: int
    name: str
    context: ssl.SSLContext
    ca_file: Path
    tls: str | None


@dataclass
class Passage:
    """The results of a way: what was negotiated, and how many seconds each of its handshakes took."""

    negotiated: Negotiated | None = None
    handshakes: list[float] = field(default_factory=list)


class NotInstalledError(Exception):
    """The program that a way runs is not on this machine."""


Way = Callable[[Target, list[Download]], Passage]
