"""streams: stdin, stdout and stderr, which whoever starts a command may have closed, or sent where nobody reads."""

import io
import os
import select
import sys
from typing import Any


class OutputError(Exception):
    """Stdout cannot be written to; `error` says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def prepare() -> None:
    """From now on each of the three is open, both outputs take any text, and stderr takes it whatever becomes of it.

    An error of stdout is an `OutputError`: any other may be that of a file or a connection.
    """
    for descriptor in range(3):
        _open(descriptor)
    sys.stdout = _stream(sys.stdout, _Output)
    sys.stderr = _stream(sys.stderr, _Report)


def discard_output() -> None:
    """Replaces a stdout that cannot be written to: the interpreter flushes it once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Waiting(io.FileIO):
    """Waits for its reader even where another process has made the descriptor a non-blocking one."""

    def write(self, data: Any, /) -> int:
        while (count := super().write(data)) is None:
            select.select([], [self], [])
        return count


class _Output(_Waiting):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputError(error) from error


class _Report(_Waiting):
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


def _stream(stream: Any, kind: type[_Waiting]) -> Any:
    if stream is None:  # it was closed
        return open(os.devnull, "w")  # noqa: PTH123
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # of a program that calls main()
    file = io.BufferedWriter(kind(stream.fileno(), "w", closefd=False))
    # A certificate may contain any character, which must not be an error on an ASCII terminal.
    return io.TextIOWrapper(
        file,
        stream.encoding,
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
