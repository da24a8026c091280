"""STARTTLS: asks a server, in its own protocol, to continue in TLS."""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from wiretight._cli.errors import CommandError

_LINE_LIMIT = 4096
_LINES_LIMIT = 100


class _Answers:
    """What the server sends. Each answer must be complete in `timeout` seconds, however slowly its bytes arrive."""

    def __init__(self, raw: socket.socket, peer: str, timeout: float) -> None:
        self._raw = raw
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self.peer = peer

    def ask(self, data: bytes) -> None:
        """Send `data`, from when on the next answer has its time."""
        self._raw.settimeout(self._timeout)
        self._raw.sendall(data)
        self._deadline = time.monotonic() + self._timeout

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes."""
        data = bytearray()
        while len(data) < size:
            data += self._receive(size - len(data))
        return bytes(data)

    def until(self, end: re.Pattern[bytes]) -> bytes:
        """What comes, up to where the pattern is met."""
        # Byte by byte: what follows belongs to TLS, and reading ahead would let plaintext into it.
        data = bytearray()
        while not end.search(data):
            if len(data) == _LINE_LIMIT:
                raise self.odd()
            data += self._receive(1)
        return bytes(data)

    def line(self) -> str:
        """The next line, without its end."""
        return self.until(_LINE_END).decode("latin-1").rstrip()

    def odd(self) -> CommandError:
        """For an answer that is not of the protocol."""
        return CommandError(f"{self.peer} does not answer as --starttls expects")

    def refused(self, answer: str) -> CommandError:
        """For an answer that means no."""
        return CommandError(f"{self.peer} does not offer STARTTLS: it answered {answer!r}")

    def _receive(self, size: int) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._raw.settimeout(left)
        data = self._raw.recv(size)
        if not data:
            raise self.odd()
        return data


_LINE_END = re.compile(rb"\n\Z")


# --- Protocols of lines -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lines:
    """The dialogue, and how the last line of a response begins: other lines may precede it.

    Case does not matter, and a reply of a number may have no text (RFC 5321, section 4.2).
    """

    greeting: str
    commands: tuple[tuple[bytes, str], ...]  # (our line, the accepted response)
    last_line: str

    def __call__(self, answers: _Answers, _name: str) -> None:
        self._expect(answers, self.greeting)
        for line, accepted in self.commands:
            answers.ask(line + b"\r\n")
            self._expect(answers, accepted)

    def _expect(self, answers: _Answers, accepted: str) -> None:
        for _ in range(_LINES_LIMIT):
            line = answers.line()
            if re.match(self.last_line, line, re.IGNORECASE):
                if not re.match(accepted, line, re.IGNORECASE):
                    raise answers.refused(line)
                return
        raise CommandError(f"{answers.peer} does not stop talking before STARTTLS: is --starttls the right protocol?")


# --- Others -----------------------------------------------------------------------------------------------------------


def _postgres(answers: _Answers, _name: str) -> None:
    """SSLRequest: https://www.postgresql.org/docs/current/protocol-flow.html"""
    answers.ask((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))
    answer = answers.exactly(1)
    if answer != b"S":
        raise answers.refused("N") if answer == b"N" else answers.odd()


_PROTOCOL_41, _TLS, _PLUGIN_AUTH = 0x200, 0x800, 0x80000
_UTF8MB4 = 45


def _mysql(answers: _Answers, _name: str) -> None:
    """HandshakeV10 and SSLRequest: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html"""
    size = int.from_bytes(answers.exactly(3), "little")
    if size > _LINE_LIMIT:
        raise answers.odd()
    greeting = answers.exactly(1 + size)[1:]
    if greeting[:1] == b"\xff":
        raise answers.refused(greeting[3:].decode("latin-1"))
    after_version = greeting.partition(b"\0")[2]
    if greeting[:1] != b"\x0a" or len(after_version) < 15:
        raise answers.odd()
    # After the server's version: a thread's number, 8 bytes of a challenge, a zero, what it is capable of.
    capabilities = int.from_bytes(after_version[13:15], "little")
    if not capabilities & _TLS:
        raise answers.refused("no CLIENT_SSL among its capabilities")
    request = (_PROTOCOL_41 | _TLS | _PLUGIN_AUTH).to_bytes(4, "little") + (1 << 24).to_bytes(4, "little")
    request += bytes([_UTF8MB4]) + bytes(23)
    answers.ask(len(request).to_bytes(3, "little") + b"\x01" + request)


def _ldap(answers: _Answers, _name: str) -> None:
    """StartTLS, an extended operation: RFC 4511, sections 4.12 and 4.14."""
    name = b"1.3.6.1.4.1.1466.20037"
    operation = b"\x77" + bytes([len(name) + 2]) + b"\x80" + bytes([len(name)]) + name
    answers.ask(b"\x30" + bytes([len(operation) + 3]) + b"\x02\x01\x01" + operation)
    if answers.exactly(1) != b"\x30":
        raise answers.odd()
    size = answers.exactly(1)[0]
    if size & 0x80:
        size = int.from_bytes(answers.exactly(size & 0x7F), "big")
    if size > _LINE_LIMIT:
        raise answers.odd()
    answer = answers.exactly(size)
    # The number of our message, the response with its length, which is short or long, and the result as an ENUMERATED.
    found = re.match(rb"\x02\x01\x01\x78(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....)\x0a\x01(.)", answer, re.DOTALL)
    if not found:
        raise answers.odd()
    if found[1] != b"\0":
        raise answers.refused(f"result code {found[1][0]}")


_FEATURES = re.compile(rb"</(?:\w+:)?features>\Z|<(?:\w+:)?features\s*/>\Z|<stream:error|</stream:stream")
_PROCEED = re.compile(rb"<proceed[^>]*>\Z|<failure[^>]*>\Z|</stream:stream")


def _xmpp(answers: _Answers, name: str) -> None:
    """RFC 6120, section 5."""
    answers.ask(
        b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
        b"version='1.0' to=" + quoteattr(name).encode() + b">"
    )
    features = answers.until(_FEATURES)
    if b"<starttls" not in features:
        raise answers.refused(features[-200:].decode("utf-8", "replace"))
    answers.ask(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    answer = answers.until(_PROCEED)
    if b"<proceed" not in answer:
        raise answers.refused(answer.decode("utf-8", "replace"))
    if not answer.endswith(b"/>"):
        answers.until(re.compile(rb"</proceed\s*>\Z"))


# --- All of them ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Protocol:
    port: int
    dialogue: Callable[[_Answers, str], None]


_NUMBERED = r"\d{3}( |$)"  # and not "220-": more lines follow that
_PROTOCOLS = {
    # RFC 3207; the name in EHLO is for the server's log only
    "smtp": _Protocol(587, _Lines(r"220", ((b"EHLO localhost", r"250"), (b"STARTTLS", r"220")), _NUMBERED)),
    # RFC 2033
    "lmtp": _Protocol(24, _Lines(r"220", ((b"LHLO localhost", r"250"), (b"STARTTLS", r"220")), _NUMBERED)),
    # RFC 3501 section 6.2.1
    "imap": _Protocol(143, _Lines(r"\* (OK|PREAUTH)", ((b"a STARTTLS", r"a OK"),), r"(\* (OK|PREAUTH|BYE)|a )")),
    # RFC 2595 section 4
    "pop3": _Protocol(110, _Lines(r"\+OK", ((b"STLS", r"\+OK"),), r"(\+OK|-ERR)")),
    # RFC 4217
    "ftp": _Protocol(21, _Lines(r"220", ((b"AUTH TLS", r"234"),), _NUMBERED)),
    # RFC 4642
    "nntp": _Protocol(119, _Lines(r"20[01]", ((b"STARTTLS", r"382"),), _NUMBERED)),
    # RFC 5804, section 2.2
    "sieve": _Protocol(4190, _Lines(r"OK", ((b"STARTTLS", r"OK"),), r"(OK|NO|BYE)\b")),
    "ldap": _Protocol(389, _ldap),
    "mysql": _Protocol(3306, _mysql),
    "postgres": _Protocol(5432, _postgres),
    "xmpp": _Protocol(5222, _xmpp),
}

NAMES = tuple(_PROTOCOLS)


def default_port(protocol: str) -> int:
    """Where servers of the protocol listen."""
    return _PROTOCOLS[protocol].port


def start(raw: socket.socket, protocol: str, name: str, peer: str, timeout: float) -> None:
    """Bring `raw`, freshly connected to `peer`, to the point where the TLS handshake begins, with the server `name`.

    `timeout` is how many seconds each response may take, as a whole. Raises TimeoutError for one that takes longer,
    `CommandError` for one after which TLS cannot begin.
    """
    _PROTOCOLS[protocol].dialogue(_Answers(raw, peer, timeout), name)
    raw.settimeout(timeout)
