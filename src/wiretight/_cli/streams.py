"""streams: stdin, stdout and stderr, which whoever starts a command may have closed, or sent where nobody reads."""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ERRORS = "backslashreplace"  # a certificate may contain any character, which must be no error on an ASCII terminal


class OutputError(Exception):
    """Stdout cannot be written to; `error` says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def prepared() -> Iterator[None]:
    """Meanwhile each of the three is open, both outputs take any text, and stderr takes it whatever becomes of it.

    An error of stdout is an `OutputError`: any other may be that of a file or a connection. A program that calls main()
    with streams of its own keeps them.
    """
    kept = sys.stdout, sys.stderr
    for descriptor in range(3):
        _open(descriptor)
    sys.stdout, sys.stderr = _stream(sys.stdout, _Output), _stream(sys.stderr, _Report)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = kept


def discard_output() -> None:
    """Replaces a stdout that cannot be written to: the interpreter flushes it once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Waiting(io.FileIO):
    """Takes all that it is given, and waits for the reader even where another process has made it non-blocking."""

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        length = len(left)
        while left:
            count = super().write(left)
            if count is None:
                select.select([], [self], [])
            else:
                left = left[count:]
        return length


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
        return open(os.devnull, "w", errors=_ERRORS)  # noqa: PTH123
    if stream not in (sys.__stdout__, sys.__stderr__):  # of a program that calls main()
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)
        return stream
    stream.flush()
    file = kind(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        file if stream.write_through else io.BufferedWriter(file),
        stream.encoding,
        _ERRORS,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
