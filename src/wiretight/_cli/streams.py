"""streams: stdin, stdout and stderr, which whoever starts a command may have closed, or sent where nobody reads."""

import io
import os
import sys
from typing import Any


def prepare() -> None:
    """From now on each of the three is open, both outputs take any text, and stderr takes it whatever becomes of it."""
    for descriptor in range(3):
        _open(descriptor)
    if sys.stdout is None:  # it was closed
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _unfailing(sys.stderr)
    # A certificate may contain any character, which must not be an error on an ASCII terminal.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Replaces a stdout that cannot be written to: the interpreter flushes it once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Unfailing(io.FileIO):
    """Drops what cannot be written: that nobody reads a report is no failure of what it is about."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _open(descriptor: int) -> None:
    """If it is closed: the next file or socket would get its number. For writing only: reading stdin still fails."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_WRONLY)  # which takes the lowest number that is free


def _unfailing(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    file = io.BufferedWriter(_Unfailing(stream.fileno(), "w", closefd=False))
    return io.TextIOWrapper(file, stream.encoding, line_buffering=True)
