"""The body of an HTTP request that nobody wants: it lies before the next request on its connection."""

import email.errors
import re
from email.message import Message
from io import BufferedIOBase

LIMIT = 1024 * 1024

_LINE_LIMIT = 4096
_BLOCK = 64 * 1024
_NOT_HEADERS = (email.errors.MissingHeaderBodySeparatorDefect, email.errors.FirstHeaderLineIsContinuationDefect)


class UnreadableBodyError(Exception):
    """Where the body ends is unknown, or too far away: the connection cannot go on. `status` is HTTP's answer to it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the body of a request is refused with status {status}")
        self.status = status


def discard(headers: "Message[str, str]", stream: BufferedIOBase) -> None:
    """Read the body that these headers of a request announce, if it and its framing take no more than `LIMIT` bytes.

    Raises `UnreadableBodyError`. Source: RFC 9112 sections 5.1, 6.3 and 7.1.
    """
    lengths = {length.strip(" \t") for line in headers.get_all("Content-Length", ()) for length in line.split(",")}
    codings = [coding.strip(" \t").lower() for coding in headers.get_all("Transfer-Encoding", ())]
    body = _Body(stream)
    # In doubt the request is refused: whoever passed it on may have seen another end of it (request smuggling).
    is_cut_short = bool(headers.get_payload())  # lines behind what the parser takes for the end of the headers
    if any(isinstance(defect, _NOT_HEADERS) for defect in headers.defects) or is_cut_short or (codings and lengths):
        raise UnreadableBodyError(400)
    if codings:
        if codings != ["chunked"]:
            raise UnreadableBodyError(501)
        body.skip_chunks()
    elif lengths:
        if len(lengths) != 1 or not re.fullmatch("[0-9]+", length := lengths.pop()):
            raise UnreadableBodyError(400)
        body.skip(_number(length, 10))


class _Body:
    """What is read of it, and how much more may be."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._left = LIMIT

    def skip_chunks(self) -> None:
        while count := self._chunk_size():
            self.skip(count)
            if self._line():
                raise UnreadableBodyError(400)
        while self._line():  # trailer fields
            pass

    def skip(self, count: int) -> None:
        if count > self._left:
            raise UnreadableBodyError(413)
        self._left -= count
        while count:
            got = len(self._stream.read(min(count, _BLOCK)))
            if not got:
                raise UnreadableBodyError(400)
            count -= got

    def _chunk_size(self) -> int:
        size = re.fullmatch(rb"([0-9A-Fa-f]+)[ \t]*(;.*)?", self._line())
        if size is None:
            raise UnreadableBodyError(400)
        return _number(size[1].decode("ascii"), 16)

    def _line(self) -> bytes:
        line = self._stream.readline(_LINE_LIMIT)
        if not line.endswith(b"\r\n"):
            raise UnreadableBodyError(400)
        self._left -= len(line)
        if self._left < 0:
            raise UnreadableBodyError(413)
        return line[:-2]


def _number(digits: str, base: int) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits, base) if len(digits) <= len(str(LIMIT)) else LIMIT + 1
