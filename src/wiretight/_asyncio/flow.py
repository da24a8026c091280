"""Flow: when a transport watches its descriptor, and when its protocol may write."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from errno import EBADF
from os import strerror
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NODELAY
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.descriptors import descriptors_of
from wiretight._core.drivers.channel import Channel

if TYPE_CHECKING:
    from wiretight._standard.system import PlainSocket

HIGH_WATER = 512 * 1024  # as asyncio has it for TLS


class Flow(Channel):
    """A Channel on an event loop, with its socket's reader and writer and the limits of its write buffer."""

    __slots__ = (
        "_descriptors",
        "_has_reader",
        "_has_writer",
        "_high_water",
        "_loop",
        "_low_water",
        "_number",
        "_protocol_paused",
        "_sock",
        "_watches_again",
        "_writer",
    )

    _watches_again: bool  # _watch_anew() is scheduled
    _writer: Callable[[], None] | None  # what is called when the descriptor is writable, while that is watched

    def _take_over(self, loop: AbstractEventLoop, sock: PlainSocket) -> None:
        """Takes the socket over. It stays the program's object, which may be closed under us."""
        self._descriptors = descriptors_of(loop)
        self._number = sock.fileno()
        self._descriptors.transports[self._number] = self
        self._follow(sock.fileno)
        # As in asyncio's transports. Nagle's algorithm would delay the first response, which follows the session
        # tickets, until the peer's delayed acknowledgement of them: 40 ms.
        if sock.family in (AF_INET, AF_INET6) and sock.proto in (0, IPPROTO_TCP):
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._init_flow(loop, sock)

    def _init_flow(self, loop: AbstractEventLoop, sock: Any) -> None:
        """Starts with nothing watched and nothing written."""
        self._loop = loop
        self._sock = sock
        self._has_reader = self._has_writer = self._protocol_paused = self._watches_again = False
        self._writer = None
        self._high_water, self._low_water = HIGH_WATER, HIGH_WATER // 4

    # --- The write buffer ---------------------------------------------------------------------------------------------

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The limits of the write buffer, in bytes: (low, high). Since 0.1."""
        return self._low_water, self._high_water

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Sets at how many buffered bytes the protocol must pause writing, and at how many it may resume.

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
            self._call_protocol("pause_writing")

    def _resume_protocol(self) -> None:
        if self._protocol_paused:
            self._protocol_paused = False
            self._call_protocol("resume_writing")

    def _call_protocol(self, method: str) -> None:
        try:
            getattr(self.get_protocol(), method)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except MemoryError as error:  # the protocol may not have been called, and would wait forever
            self._broke(error)
        except BaseException as error:
            self._report(f"protocol.{method}() failed", error)

    def _report(self, message: str, error: BaseException) -> None:
        self._loop.call_exception_handler(
            {"message": message, "exception": error, "transport": self, "protocol": self.get_protocol()}
        )

    # --- The descriptor -----------------------------------------------------------------------------------------------

    # A failed add_reader() or add_writer() may have watched it (uvloop's do), and the end must undo that. So it must if
    # the program has closed the socket, or the loop could not watch the next one that has its number. But what is not
    # watched under that number is the next one's to watch.

    def _watch_reading(self) -> None:
        if not self._has_reader:
            number = self._open_number()
            self._has_reader = True
            self._descriptors.add_reader(number, self._read_ready)

    def _unwatch_reading(self) -> None:
        if self._has_reader:
            self._descriptors.remove_reader(self._number)
            self._has_reader = False

    def _watch_writing(self, callback: Callable[[], None]) -> None:
        if not self._has_writer:
            number = self._open_number()
            self._has_writer = True
            self._writer = callback
            self._descriptors.add_writer(number, self._writable)

    def _unwatch_writing(self) -> None:
        if self._has_writer:
            self._descriptors.remove_writer(self._number)
            self._has_writer = False
            self._writer = None

    def _writable(self) -> None:
        if self._is_in_error():
            self._guarded(self._watch_again)
        if self._writer is not None:
            self._guarded(self._writer)

    def _watch_again(self) -> None:
        """Called when the loop reports a descriptor in error, which libuv then no longer watches.

        That need not be its end: messages in the error queue, which may be time stamps, are such an error until
        somebody reads them. Not at once, because uvloop forgets both callbacks after it has called them.
        """
        if not self._watches_again:
            self._loop.call_soon(self._guarded, self._watch_anew)
            self._watches_again = True

    def _watch_anew(self) -> None:
        self._watches_again = False
        has_reader, writer = self._has_reader, self._writer
        self._unwatch_reading()
        self._unwatch_writing()
        if has_reader:
            self._watch_reading()
        if writer is not None:
            self._watch_writing(writer)

    def _open_number(self) -> int:
        """The descriptor. Raises OSError (EBADF) if the program has closed the socket."""
        number: int = self._sock.fileno()
        if number < 0:
            raise OSError(EBADF, strerror(EBADF))
        return number

    def _check_descriptor(self) -> None:
        """Before a step that does not look by itself. Raises OSError (EBADF) if the number may be another file's."""
        self._open_number()

    def _guarded(self, call: Callable[[], None]) -> None:
        """Runs a callback of the loop, which would only report an exception, and ends the connection if it fails."""
        try:
            call()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        """Ends the connection after a failure of our own, maybe from a lack of memory."""
        raise NotImplementedError

    def _close_socket(self) -> None:
        """Closes our descriptor, without informing the loop or the peer."""
        self._has_reader = self._has_writer = False
        self._writer = None
        sock, self._sock = self._sock, None
        sock.close()
