"""Payload and Copy: the file that the demo transfers, and what has arrived."""

import hashlib
import mmap
import os
from pathlib import Path

_BLOCK = 1024 * 1024


class Payload:
    """A file of `size` random bytes: random, so that a lost, duplicate or misplaced block is always noticed."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for start in range(0, size, _BLOCK):
                block = os.urandom(min(_BLOCK, size - start))
                digest.update(block)
                file.write(block)
        self.digest = digest.hexdigest()


class Copy:
    """A mapped file of the payload's size: any size can be received in place without keeping it in memory."""

    def __init__(self, path: Path, payload: Payload) -> None:
        self._path = path
        self._payload = payload
        self._wipe()
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), payload.size)

    def fresh(self) -> memoryview:
        """All of it, zeroed, so that a way cannot pass with bytes that an earlier one received."""
        self._wipe()
        return memoryview(self._map)

    def difference(self, received: int) -> str | None:
        """How it differs from the payload after `received` bytes, in a sentence; None if it does not."""
        digest = hashlib.sha256(self._map).hexdigest()
        if received == self._payload.size and digest == self._payload.digest:
            return None
        return (
            f"{self._payload.size} bytes expected, {received} got; "
            f"SHA-256 {self._payload.digest} expected, {digest} got; first differing offset {self._first_difference()}"
        )

    def _wipe(self) -> None:
        # Written, not truncated, so that a full disk is an error here and not a SIGBUS in the mapping later.
        with self._path.open("r+b" if self._path.exists() else "wb") as file:
            for start in range(0, self._payload.size, _BLOCK):
                file.write(bytes(min(_BLOCK, self._payload.size - start)))

    def _first_difference(self) -> int | None:
        with self._payload.path.open("rb") as file:
            for start in range(0, self._payload.size, _BLOCK):
                expected, got = file.read(_BLOCK), self._map[start : start + _BLOCK]
                if expected != got:
                    return start + next(
                        i for i, pair in enumerate(zip(expected, got, strict=True)) if pair[0] != pair[1]
                    )
        return None
