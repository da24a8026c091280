"""Flow: what a transport watches its descriptor for, and when its protocol may write."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from wiretight._core.channel import Channel

_HIGH_WATER = 512 * 1024  # as asyncio has it for TLS


class Flow(Channel):
    """A Channel on an event loop: its socket's reader and writer, and the marks of its write buffer."""

    __slots__ = ("_has_reader", "_has_writer", "_high_water", "_loop", "_low_water", "_protocol_paused", "_sock")

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._loop = loop
        self._sock: Any = sock
        # As asyncio's transports. Nagle's algorithm would hold back the first answer, which follows the session
        # tickets, until the peer's delayed acknowledgement of them: 40 ms.
        if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.proto in (0, socket.IPPROTO_TCP):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._has_reader = self._has_writer = self._protocol_paused = False
        self._high_water, self._low_water = _HIGH_WATER, _HIGH_WATER // 4

    # --- The write buffer ---------------------------------------------------------------------------------------------

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The marks of the write buffer, in bytes: (low, high). Since 0.1."""
        return self._low_water, self._high_water

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Sets when the protocol is told to pause writing, and when to go on, in bytes that wait.

        Raises ValueError unless high >= low >= 0. Since 0.1.
        """
        if high is None:
            high = _HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high_water, self._low_water = high, low
        self._control_writing()

    def _control_writing(self) -> None:
        size = self.get_write_buffer_size()
        if size > self._high_water and not self._protocol_paused:
            self._protocol_paused = True
            self._tell("pause_writing")
        elif size <= self._low_water and self._protocol_paused:
            self._protocol_paused = False
            self._tell("resume_writing")

    def _tell(self, method: str) -> None:
        try:
            getattr(self.get_protocol(), method)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._report(f"protocol.{method}() failed", error)

    def _report(self, message: str, error: BaseException) -> None:
        self._loop.call_exception_handler(
            {"message": message, "exception": error, "transport": self, "protocol": self.get_protocol()}
        )

    # --- The descriptor -----------------------------------------------------------------------------------------------

    def _watch_reading(self) -> None:
        if not self._has_reader:
            self._has_reader = True
            self._loop.add_reader(self._sock.fileno(), self._read_ready)

    def _unwatch_reading(self) -> None:
        if self._has_reader:
            self._has_reader = False
            self._loop.remove_reader(self._sock.fileno())

    def _watch_writing(self, callback: Callable[[], None]) -> None:
        if not self._has_writer:
            self._has_writer = True
            self._loop.add_writer(self._sock.fileno(), callback)

    def _unwatch_writing(self) -> None:
        if self._has_writer:
            self._has_writer = False
            self._loop.remove_writer(self._sock.fileno())
