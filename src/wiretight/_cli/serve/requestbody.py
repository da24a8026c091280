"""The body of an HTTP request: it is discarded, because the next request on the connection follows it."""

import re
from email.message import Message
from io import BufferedIOBase

from wiretight._cli.serve.requesthead import RefusedRequestError, check_fields

LIMIT = 1024 * 1024

_LINE_LIMIT = 4096
_BLOCK = 64 * 1024


def discard(headers: "Message[str, str]", stream: BufferedIOBase, may_be_chunked: bool) -> None:
    """Read the body that these headers announce, if it and its framing have no more than `LIMIT` bytes.

    Raises `RefusedRequestError` if its end is unknown or too far away. Before HTTP/1.1 no body `may_be_chunked`.
    Source: RFC 9112 sections 6.1, 6.3 and 7.1.
    """
    lengths = {length.strip(" \t") for line in headers.get_all("Content-Length", ()) for length in line.split(",")}
    transfer = [coding for line in headers.get_all("Transfer-Encoding", ()) for coding in line.split(",")]
    codings = [coding.strip(" \t").lower() for coding in transfer]
    body = _Body(stream)
    if codings:
        if lengths or not may_be_chunked or codings.count("chunked") != 1 or codings[-1] != "chunked":
            raise RefusedRequestError(400)
        if len(codings) > 1:
            raise RefusedRequestError(501)
        body.skip_chunks()
    elif lengths:
        if len(lengths) != 1 or not re.fullmatch("[0-9]+", length := lengths.pop()):
            raise RefusedRequestError(400)
        body.skip(_number(length, 10))


class _Body:
    """A body being read, and how many bytes it may still have."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._left = LIMIT

    def skip_chunks(self) -> None:
        while count := self._chunk_size():
            self.skip(count)
            if self._line() != b"\r\n":
                raise RefusedRequestError(400)
        trailer = [self._line()]
        while trailer[-1] != b"\r\n":
            trailer.append(self._line())
        check_fields(trailer)

    def skip(self, count: int) -> None:
        if count > self._left:
            raise RefusedRequestError(413)
        self._left -= count
        while count:
            got = len(self._stream.read(min(count, _BLOCK)))
            if not got:
                raise RefusedRequestError(400)
            count -= got

    def _chunk_size(self) -> int:
        size = re.fullmatch(rb"([0-9A-Fa-f]+)(?:[ \t]*;[^\x00\r\n]*)?\r\n", self._line())
        if size is None:
            raise RefusedRequestError(400)
        return _number(size[1].decode("ascii"), 16)

    def _line(self) -> bytes:
        line = self._stream.readline(_LINE_LIMIT)
        if not line.endswith(b"\r\n"):
            raise RefusedRequestError(400)
        self._left -= len(line)
        if self._left < 0:
            raise RefusedRequestError(413)
        return line


def _number(digits: str, base: int) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits, base) if len(digits) <= len(str(LIMIT)) else LIMIT + 1
