"""Download: receives one HTTP/1.1 response into memory. It does no I/O, so that every way can share it."""

import itertools
from collections.abc import Callable

PATH = "/file"

_HEAD_LIMIT = 16 * 1024


class UnexpectedAnswerError(OSError):
    """The server answered, but not with the file."""


class Download:
    """A request for the bytes of the file from `start`, whose response is stored in `into`.

    Send `request`; then receive into `space()` and pass the number of bytes to `received()`, until `complete` or the
    stream ends. `arrived` is called with the number of body bytes each time.
    """

    def __init__(self, into: memoryview, start: int, arrived: Callable[[int], None]) -> None:
        self.request = (
            f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n"
            f"Range: bytes={start}-{start + len(into) - 1}\r\nConnection: close\r\n\r\n"
        ).encode("ascii")
        self.count = 0
        self._into = into
        self._arrived = arrived
        self._head: bytearray | None = bytearray(_HEAD_LIMIT)
        self._head_length = 0

    @property
    def complete(self) -> bool:
        """Whether every requested byte has been received."""
        return self.count == len(self._into)

    def space(self) -> memoryview:
        """The place for the next bytes from the server; never empty before `complete`."""
        if self._head is not None:
            return memoryview(self._head)[self._head_length :]
        return self._into[self.count :]

    def received(self, count: int) -> None:
        """`count` bytes were stored in `space()`. Raises `UnexpectedAnswerError` if they are not the file."""
        if self._head is None:
            self.count += count
            self._arrived(count)
            return
        self._head_length += count
        head, blank_line, body = bytes(self._head[: self._head_length]).partition(b"\r\n\r\n")
        if not blank_line:
            if self._head_length == _HEAD_LIMIT:
                raise UnexpectedAnswerError(f"the header is longer than {_HEAD_LIMIT} bytes")
            return
        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        if status.split(" ")[1:2] not in (["200"], ["206"]):
            raise UnexpectedAnswerError(f"the server answered {status!r}")
        if len(body) > len(self._into):
            raise UnexpectedAnswerError("the server sent more than was asked for")
        self._head = None
        self._into[: len(body)] = body
        self.received(len(body))


def shares(into: memoryview, parts: int, arrived: Callable[[int], None]) -> list[Download]:
    """The file divided evenly among `parts` downloads; fewer if it has fewer bytes than that."""
    parts = min(parts, len(into))
    bounds = [len(into) * i // parts for i in range(parts + 1)]
    return [Download(into[start:stop], start, arrived) for start, stop in itertools.pairwise(bounds)]
