"""Flow: what a transport watches its descriptor for, and when its protocol may write."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NODELAY
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.descriptors import descriptors_of
from wiretight._core.drivers.channel import Channel

if TYPE_CHECKING:
    from wiretight._standard.system import PlainSocket

HIGH_WATER = 512 * 1024  # as asyncio has it for TLS


class Flow(Channel):
    """A Channel on an event loop: its socket's reader and writer, and the marks of its write buffer."""

    __slots__ = (
        "_descriptors",
        "_has_reader",
        "_has_writer",
        "_high_water",
        "_loop",
        "_low_water",
        "_protocol_paused",
        "_sock",
    )

    def _flow_over(self, loop: AbstractEventLoop, sock: PlainSocket) -> None:
        """Takes the socket over."""
        self._descriptors = descriptors_of(loop)
        self._descriptors.transports[sock.fileno()] = self
        # As asyncio's transports. Nagle's algorithm would hold back the first answer, which follows the session
        # tickets, until the peer's delayed acknowledgement of them: 40 ms.
        if sock.family in (AF_INET, AF_INET6) and sock.proto in (0, IPPROTO_TCP):
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._flow_on(loop, sock)

    def _flow_on(self, loop: AbstractEventLoop, sock: Any) -> None:
        """Begins, with nothing watched and nothing written."""
        self._loop = loop
        self._sock = sock
        self._has_reader = self._has_writer = self._protocol_paused = False
        self._high_water, self._low_water = HIGH_WATER, HIGH_WATER // 4

    # --- The write buffer ---------------------------------------------------------------------------------------------

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The marks of the write buffer, in bytes: (low, high). Since 0.1."""
        return self._low_water, self._high_water

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Sets when the protocol is told to pause writing, and when to go on, in bytes that wait.

        Raises ValueError unless high >= low >= 0. Since 0.1.
        """
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high_water, self._low_water = high, low
        self._control_writing()

    def _control_writing(self) -> None:
        size = self.get_write_buffer_size()
        if size > self._high_water:
            self._pause_protocol()
        elif size <= self._low_water:
            self._resume_protocol()

    def _pause_protocol(self) -> None:
        if not self._protocol_paused:
            self._protocol_paused = True
            self._tell("pause_writing")

    def _resume_protocol(self) -> None:
        if self._protocol_paused:
            self._protocol_paused = False
            self._tell("resume_writing")

    def _tell(self, method: str) -> None:
        try:
            getattr(self.get_protocol(), method)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except MemoryError as error:  # it may never have heard, and would wait
            self._broke(error)
        except BaseException as error:
            self._report(f"protocol.{method}() failed", error)

    def _report(self, message: str, error: BaseException) -> None:
        self._loop.call_exception_handler(
            {"message": message, "exception": error, "transport": self, "protocol": self.get_protocol()}
        )

    # --- The descriptor -----------------------------------------------------------------------------------------------

    # A call of the loop's that fails has changed nothing, and can be made again.

    def _watch_reading(self) -> None:
        if not self._has_reader:
            self._descriptors.add_reader(self._sock.fileno(), self._read_ready)
            self._has_reader = True

    def _unwatch_reading(self) -> None:
        if self._has_reader:
            self._descriptors.remove_reader(self._sock.fileno())
            self._has_reader = False

    def _watch_writing(self, callback: Callable[[], None]) -> None:
        if not self._has_writer:
            self._descriptors.add_writer(self._sock.fileno(), self._guarded, callback)
            self._has_writer = True

    def _unwatch_writing(self) -> None:
        if self._has_writer:
            self._descriptors.remove_writer(self._sock.fileno())
            self._has_writer = False

    def _guarded(self, call: Callable[[], None]) -> None:
        """Calls what the loop is to call: it would report an exception, and leave the connection as it was."""
        try:
            call()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        """Something of ours has failed, for want of memory perhaps: the connection ends."""
        raise NotImplementedError

    def _close_socket(self) -> None:
        """Closes our descriptor, and tells neither the loop nor the peer."""
        self._has_reader = self._has_writer = False
        sock, self._sock = self._sock, None
        sock.close()
