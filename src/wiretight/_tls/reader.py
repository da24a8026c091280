"""Reader: TLS's presentation language, read from its beginning (RFC 8446, section 3)."""

from __future__ import annotations

from struct import unpack


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
        rest = self.rest()
        if len(rest) % size:
            raise Undecodable("it ends too early")
        if size == 2:  # a ClientHello has room for 32,767 of them
            return list(unpack(f">{len(rest) // 2}H", rest))
        return [int.from_bytes(rest[at : at + size], "big") for at in range(0, len(rest), size)]

    def vectors(self, size: int, most: int = 65535) -> list[Reader]:
        """All that is left, as vectors, of which there may be `most`."""
        found: list[Reader] = []
        while self:
            if len(found) == most:
                raise Undecodable("a list is too long")
            found.append(self.vector(size))
        return found

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Nothing may be left."""
        if self:
            raise Undecodable("bytes are left over")
