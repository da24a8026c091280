"""Source: the bytes of a file that a user names, whatever kind of file it is."""

import os
import select
import stat
import time

from wiretight._cli.errors import CommandError

LIMIT = 64 * 1024 * 1024  # bytes; a device has no end
_BLOCK = 1024 * 1024
STDIN = "-"


def read_source(path: str, seconds: float) -> bytes:
    """The content of the file at `path`, or of stdin for "-".

    A pipe, which may be that of a shell's `<(…)`, has so many seconds to end. Raises `CommandError` otherwise, and for
    what cannot be read, or is longer than 64 MiB.
    """
    try:
        # Opening a FIFO without a writer would wait for one.
        fd = os.dup(0) if path == STDIN else os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return _content(fd, seconds)
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:  # ValueError: a null character
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise CommandError(f"{'the standard input' if path == STDIN else path} cannot be read: {why}") from error


def _content(fd: int, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    is_regular, is_terminal = stat.S_ISREG(os.fstat(fd).st_mode), os.isatty(fd)
    content = bytearray()
    while len(content) <= LIMIT:
        if not is_regular:
            left = None if is_terminal else max(0.0, deadline - time.monotonic())
            if not select.select([fd], [], [], left)[0]:
                raise ValueError(f"it does not end within {seconds:g} s")
        try:
            block = os.read(fd, _BLOCK)
        except BlockingIOError:
            continue
        if not block:
            return bytes(content)
        content += block
    raise ValueError(f"it is larger than {LIMIT >> 20} MiB")
