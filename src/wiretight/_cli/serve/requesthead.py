"""The head of an HTTP request, line by line: the standard library's parser is too lenient.

A doubtful request is rejected, because a proxy may have seen another end of it (request smuggling).
"""

import re
from collections.abc import Sequence
from email.message import Message
from io import BufferedIOBase

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(_TOKEN + rb" [^\x00-\x20\x7f]+ HTTP/[0-9]\.[0-9]\r\n")
_FIELD_LINE = re.compile(_TOKEN + rb":[^\x00\r\n]*\r\n")
HOST = re.compile(r"[0-9A-Za-z._~!$&'()*+,;=%:\[\]-]*")
_END = b"\r\n"


class RefusedRequestError(Exception):
    """The request, and whatever follows on its connection, is rejected. `status` is the HTTP status for it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"a request is refused with status {status}")
        self.status = status


class Lines:
    """A stream from which the parser reads lines, and the lines read so far."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self.stream = stream
        self.read: list[bytes] = []

    def readline(self, limit: int) -> bytes:
        """The next line, of `limit` bytes at most."""
        self.read.append(self.stream.readline(limit))
        return self.read[-1]


def check(request_line: bytes, lines: Sequence[bytes], headers: "Message[str, str]") -> None:
    """Raises `RefusedRequestError` for a head that violates the syntax of HTTP/1.1, or has no definite host.

    A bare CR or LF does not end a line, lines are not folded, and a colon immediately follows a name.
    Source: RFC 9112 sections 2.2, 3, 3.2, 5.1 and 5.2.
    """
    hosts = headers.get_all("Host", ())
    if not _REQUEST_LINE.fullmatch(request_line) or len(hosts) > 1 or not all(map(HOST.fullmatch, hosts)):
        raise RefusedRequestError(400)
    if not hosts and not is_older(request_line):
        raise RefusedRequestError(400)
    check_fields(lines)


def check_fields(lines: Sequence[bytes]) -> None:
    """The same for fields and the empty line after them, in trailers too."""
    *fields, end = lines
    if end != _END or not all(map(_FIELD_LINE.fullmatch, fields)):
        raise RefusedRequestError(400)


def is_older(request_line: bytes) -> bool:
    """Whether its version is older than HTTP/1.1."""
    return request_line.rstrip().rpartition(b"/")[2] < b"1.1"
