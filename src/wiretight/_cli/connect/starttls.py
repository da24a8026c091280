"""STARTTLS: asks a mail or file server, in its own protocol, to continue in TLS."""

import re
import socket
import time
from dataclasses import dataclass

from wiretight._cli.errors import CommandError

_LINE_LIMIT = 4096
_LINES_LIMIT = 100


@dataclass(frozen=True)
class _Protocol:
    """The dialogue, and how the last line of a response begins: other lines may precede it."""

    greeting: str
    commands: tuple[tuple[bytes, str], ...]  # (our line, the accepted response)
    last_line: str


_PROTOCOLS = {
    # RFC 3207; the name in EHLO is for the server's log only
    "smtp": _Protocol(r"220 ", ((b"EHLO localhost", r"250 "), (b"STARTTLS", r"220 ")), r"\d{3} "),
    # RFC 3501 section 6.2.1
    "imap": _Protocol(r"\* (OK|PREAUTH)", ((b"a STARTTLS", r"a OK"),), r"(\* (OK|PREAUTH|BYE)|a )"),
    # RFC 2595 section 4
    "pop3": _Protocol(r"\+OK", ((b"STLS", r"\+OK"),), r"(\+OK|-ERR)"),
    # RFC 4217
    "ftp": _Protocol(r"220 ", ((b"AUTH TLS", r"234 "),), r"\d{3} "),
}

NAMES = tuple(_PROTOCOLS)


def start(raw: socket.socket, protocol: str, peer: str, timeout: float) -> None:
    """Bring `raw`, freshly connected to `peer`, to the point where the TLS handshake begins.

    `timeout` is how many seconds each response may take, as a whole. Raises TimeoutError for one that takes longer,
    `CommandError` for one after which TLS cannot begin.
    """
    rules = _PROTOCOLS[protocol]
    _expect(_Lines(raw, peer, timeout), rules, rules.greeting)
    for line, accepted in rules.commands:
        raw.settimeout(timeout)
        raw.sendall(line + b"\r\n")
        _expect(_Lines(raw, peer, timeout), rules, accepted)
    raw.settimeout(timeout)


class _Lines:
    """The lines of one response, which must be complete in `timeout` seconds, however slowly its bytes arrive."""

    def __init__(self, raw: socket.socket, peer: str, timeout: float) -> None:
        self._raw = raw
        self.peer = peer
        self._deadline = time.monotonic() + timeout

    def next(self) -> str:
        """The next line, without its end."""
        # Byte by byte: what follows the line break belongs to TLS, and reading ahead would let plaintext into it.
        line = bytearray()
        while not line.endswith(b"\n"):
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._raw.settimeout(left)
            byte = self._raw.recv(1)
            if not byte or len(line) == _LINE_LIMIT:
                raise CommandError(f"{self.peer} does not answer as --starttls expects")
            line += byte
        return line.decode("latin-1").rstrip()


def _expect(answer: _Lines, rules: _Protocol, accepted: str) -> None:
    for _ in range(_LINES_LIMIT):
        line = answer.next()
        if re.match(rules.last_line, line):
            if not re.match(accepted, line):
                raise CommandError(f"{answer.peer} does not offer STARTTLS: it answered {line!r}")
            return
    raise CommandError(f"{answer.peer} does not stop talking before STARTTLS: is --starttls the right protocol?")
