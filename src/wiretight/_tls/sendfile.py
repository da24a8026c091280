"""What is sent in parts: a file, which the kernel can send through TLS only where it encrypts itself; and sendall()."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns

from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.overrides import overrides

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from wiretight._core.drivers.sslsocket import _SSLSocket

# What one write gathers for the system: 8 records of 16 KiB.
_PIECE = 128 * 1024


def part_sender(sock: Any, sslobj: _SSLSocket) -> Callable[[Buffer], int]:
    """send() for a call that sends in parts, and has one deadline for them all: the timeout of the socket from now on.

    It is the program's send() where there is one, and then it is looked at the time between the parts.
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
    """The error of a call whose time was up after a part. Since 0.1."""
    return TimeoutError("The write operation timed out")


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
