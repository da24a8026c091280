"""A file, sent through TLS: the kernel can do that only where it encrypts itself."""

from __future__ import annotations

from collections.abc import Callable

from wiretight._typing import Any

# What one write gathers for the system: 8 records of 16 KiB.
_PIECE = 128 * 1024


def send_file(write: Callable[[memoryview], int], file: Any, offset: int, count: int | None) -> int:
    """Writes `file` from `offset` on, all of it or `count` bytes, and returns how many bytes were written.

    The file's position ends behind what was written, also where an exception ends it.
    """
    if offset:
        file.seek(offset)
    sent = 0
    try:
        for piece in _pieces(file, count):
            rest = piece
            while rest:
                written = write(rest)
                sent += written
                rest = rest[written:]
    finally:
        if sent and hasattr(file, "seek"):
            file.seek(offset + sent)
    return sent


def _pieces(file: Any, count: int | None) -> Any:
    """The file's bytes, in one buffer for all pieces if the file can read into one."""
    left = count
    space = memoryview(bytearray(_PIECE if count is None else min(count, _PIECE)))
    into = getattr(file, "readinto", None)
    while left is None or left > 0:
        wanted = _PIECE if left is None else min(left, _PIECE)
        piece = memoryview(file.read(wanted)) if into is None else space[: into(space[:wanted])]
        if not piece:
            return
        yield piece
        if left is not None:
            left -= len(piece)
