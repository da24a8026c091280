"""Reader: TLS's presentation language, read from its beginning (RFC 8446, section 3)."""

from __future__ import annotations


class Undecodable(ValueError):
    """The bytes are not what they should be: too short, too long, or out of the allowed range."""


class Reader:
    """Bytes being taken apart. Whatever is missing is an Undecodable."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise Undecodable("it ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, size: int) -> int:
        """The next number, of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> Reader:
        """The next vector, whose length is a number of `size` bytes."""
        return Reader(self.take(self.number(size)))

    def numbers(self, size: int) -> list[int]:
        """All that is left, as numbers of `size` bytes."""
        found = []
        while self:
            found.append(self.number(size))
        return found

    def vectors(self, size: int) -> list[Reader]:
        """All that is left, as vectors."""
        found = []
        while self:
            found.append(self.vector(size))
        return found

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Nothing may be left."""
        if self:
            raise Undecodable("bytes are left over")
