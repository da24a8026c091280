"""Sending in parts: sendall(), and sendfile(), which the kernel could do itself only if it encrypted the data."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns

from wiretight._standard.system import io
from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.overrides import overrides

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from wiretight._core.drivers.sslsocket import _SSLSocket

# What one write passes to the system: 8 records of 16 KiB.
_CHUNK_SIZE = 128 * 1024

# Their readinto() returns what their read() does. Of other files only read() is known to: a program's class may limit,
# count or decode there, and inherit or delegate the rest.
_FILLS_BUFFERS = (io.BufferedReader, io.BufferedRandom, io.FileIO, io.BytesIO)


def part_sender(sock: Any, sslobj: _SSLSocket) -> Callable[[Buffer], int]:
    """send() for a call that sends in parts, with one deadline for all of them: the socket's timeout, starting now.

    If the program has overridden send(), it is called, and the deadline is checked between the parts.
    """
    deadline = sslobj.deadline()
    if not overrides(sock, "send"):
        return lambda part: sslobj.write_until(part, deadline)

    def send(part: Buffer) -> int:
        if 0 < deadline <= monotonic_ns():
            raise timed_out()
        sent: int = sock.send(part)
        return sent

    return send


def timed_out() -> TimeoutError:
    """The error of a call that has timed out after a part. Since 0.1."""
    return TimeoutError("The write operation timed out")


def send_file(write: Callable[[memoryview], int], file: Any, offset: int, count: int | None) -> int:
    """Writes `file` from `offset` on, all of it or `count` bytes, and returns how many bytes were written.

    The file's position is left after the last byte written, even by an exception.
    """
    if offset:
        file.seek(offset)
    sent = 0
    try:
        for chunk in _chunks(file, count):
            rest = chunk
            while rest:
                written = write(rest)
                sent += written
                rest = rest[written:]
    finally:
        if sent and hasattr(file, "seek"):
            file.seek(offset + sent)
    return sent


def _chunks(file: Any, count: int | None) -> Any:
    """The file's bytes, in one buffer for all chunks if the file is known to read into one."""
    left = count
    buffer = None
    if type(file) in _FILLS_BUFFERS and vars(file).keys().isdisjoint(("read", "readinto")):
        buffer = memoryview(bytearray(_CHUNK_SIZE if count is None else min(count, _CHUNK_SIZE)))
    while left is None or left > 0:
        wanted = _CHUNK_SIZE if left is None else min(left, _CHUNK_SIZE)
        got = file.read(wanted) if buffer is None else file.readinto(buffer[:wanted])
        if got is None:
            raise TypeError("sendfile() needs a file that blocks: this one has nothing to read yet")
        chunk = memoryview(got) if buffer is None else buffer[:got]
        if not chunk:
            return
        yield chunk
        if left is not None:
            left -= len(chunk)
