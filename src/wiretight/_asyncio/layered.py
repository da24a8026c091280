"""LayeredSSLTransport: TLS over a transport that is there, which goes on carrying the ciphertext."""

from __future__ import annotations

from asyncio import AbstractEventLoop, BaseProtocol, Future, Protocol
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.flow import HIGH_WATER
from wiretight._asyncio.state import State
from wiretight._asyncio.transport import SSLTransport
from wiretight._core.wire.memorybio import MemoryBIO

if TYPE_CHECKING:
    from wiretight._tls.context import SSLContext

_MOST_ANSWERS = 128 * 1024  # bytes, to a peer that asks for them and does not read


class LayeredSSLTransport(SSLTransport):
    """A Transport over a plain one, and two memory BIOs, instead of a socket.

    The plain transport stays what it was, so that whoever has kept it, as a StreamReader has, can go on to pause,
    close, abort or ask it. It has the socket, the place in its server's count, and what was written before TLS. Its
    write buffer and its marks are ours too.

    Since 0.1. Source: `loop.start_tls`.
    """

    __slots__ = ("_answers", "_carrier", "_incoming", "_is_full", "_outgoing", "_plain")

    _answers: int  # bytes that went out for nothing but what the peer sent, since the plain transport was full
    _is_full: bool

    def __init__(
        self,
        loop: AbstractEventLoop,
        plain: Any,
        context: SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        handshake_timeout: float | None = None,
        shutdown_timeout: float | None = None,
        like_asyncio: bool = False,
    ) -> None:
        """Looks at the arguments, and leaves `plain` alone until begin()."""
        self._prepare(handshake_timeout, shutdown_timeout, like_asyncio)
        self._incoming, self._outgoing = MemoryBIO(), MemoryBIO()
        self._ssl_object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side,
            server_hostname=None if server_side else server_hostname or None,
        )  # fmt: skip
        self._plain = plain
        self._loop = loop
        self._server = None
        self._is_full = False
        self._answers = 0

    def begin(
        self, protocol: BaseProtocol, waiter: Future[None] | None, *, announces: bool, early: bytes = b""
    ) -> None:
        """Has the plain transport carry TLS from here on; `early` is what of it has come already.

        `announces`: whether the protocol hears of the connection. Since 0.1.
        """
        self._announces = announces
        self._plain.pause_reading()
        self._carrier = _Carrier(self)
        self._plain.set_protocol(self._carrier)
        self._plain.set_write_buffer_limits(HIGH_WATER)
        self._flow_on(self._loop, self._plain.get_extra_info("socket"))
        self._extra = {name: self._plain.get_extra_info(name) for name in ("socket", "sockname", "peername")}
        self._incoming.write(early)
        self._start(protocol, waiter, edge_triggered=True)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As any Transport's, and what the plain one has besides. Since 0.1."""
        found = super().get_extra_info(name, self)
        return self._plain.get_extra_info(name, default) if found is self else found

    def is_closing(self) -> bool:
        """Whether it, or the plain transport, is closed or being closed. Since 0.1."""
        return super().is_closing() or self._plain.is_closing()

    # --- Incoming -----------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Ciphertext has come. Since 0.1."""
        self._incoming.write(data)
        self._read_ready()

    def ended(self) -> None:
        """No more will come. Since 0.1."""
        self._incoming.write_eof()
        self._read_ready()

    def lost(self, error: BaseException | None) -> None:
        """The plain transport has gone. Since 0.1."""
        if self._peer_ended and (self._like_asyncio or self._state is State.CLOSING):
            error = None  # the peer has said that it leaves, and has left
        self._end(error)

    def _read_ready(self) -> None:
        super()._read_ready()
        self._answers = self._answers + self._outgoing.pending if self._is_full else 0
        self._pass_on()
        if self._answers > _MOST_ANSWERS:
            self._unwatch_reading()  # until the peer has read them

    def _progress(self) -> None:
        super()._progress()
        self._pass_on()

    def _watch_reading(self) -> None:
        # Closing, somebody else may have paused the plain transport, and the peer's end must come through.
        if (not self._has_reader or self.is_closing()) and not self._plain.is_closing():
            self._plain.resume_reading()
            self._has_reader = True

    def _unwatch_reading(self) -> None:
        if self._has_reader:
            self._has_reader = False
            if not self._plain.is_closing():
                self._plain.pause_reading()

    # --- Outgoing -----------------------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """As any Transport's. Since 0.1."""
        super().write(data)
        self._guarded(self._pass_on)

    def filled(self) -> None:
        """The plain transport has more than it should. Since 0.1."""
        self._is_full = True
        if self._state in (State.HANDSHAKING, State.OPEN):
            self._pause_protocol()

    def emptied(self) -> None:
        """The plain transport can take more. Since 0.1."""
        if not self._is_full:  # it was full before TLS, and the protocol was told
            self._protocol_paused = True
        self._is_full = False
        self._answers = 0
        self._drained()

    def get_write_buffer_size(self) -> int:
        """As any Transport's. Since 0.1."""
        return super().get_write_buffer_size() + (0 if self._state is State.LOST else self._in_plain())

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """As any Transport's. Since 0.1."""
        limits: tuple[int, int] = self._plain.get_write_buffer_limits()
        return limits

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As any Transport's. Since 0.1."""
        if high is None and low is None:
            high = HIGH_WATER
        self._plain.set_write_buffer_limits(high, low)

    def _control_writing(self) -> None:
        if not self._is_full:
            self._resume_protocol()

    def _has_output(self) -> bool:
        return super()._has_output() or self._in_plain() > 0

    def _in_plain(self) -> int:
        size: int = self._plain.get_write_buffer_size()
        return size

    def _watch_writing(self, callback: Callable[[], None]) -> None:
        if not self._has_writer:
            self._loop.call_soon(self._write_if_watched, callback)
            self._has_writer = True

    def _write_if_watched(self, callback: Callable[[], None]) -> None:
        if self._has_writer:
            self._has_writer = False
            self._guarded(callback)
            self._guarded(self._pass_on)

    def _unwatch_writing(self) -> None:
        self._has_writer = False

    def _end_output(self) -> None:
        # It tells when it is empty.
        if not self._plain.is_closing():
            self._plain.set_write_buffer_limits(0)
        super()._end_output()

    def _send_close_notify(self) -> None:
        super()._send_close_notify()
        self._pass_on()

    def _pass_on(self) -> None:
        """Gives the plain transport what is encrypted."""
        if self._outgoing.pending:
            data = self._outgoing.read()
            if not self._plain.is_closing():
                self._plain.write(data)

    # --- The end ------------------------------------------------------------------------------------------------------

    def _end(self, error: BaseException | None) -> None:
        if not self._is_over:
            try:
                self._pass_on()  # the alert that says why
            finally:
                super()._end(error)
                self._plain.abort()

    def _close_socket(self) -> None:
        self._has_reader = self._has_writer = False
        self._sock = None
        self._carrier.transport = None


class _Carrier(Protocol):
    """The protocol of the plain transport."""

    def __init__(self, transport: LayeredSSLTransport) -> None:
        self.transport: LayeredSSLTransport | None = transport

    def data_received(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.received(data)

    def eof_received(self) -> bool:
        if self.transport is not None:
            self.transport.ended()
        return True  # we may still write

    def pause_writing(self) -> None:
        if self.transport is not None:
            self.transport.filled()

    def resume_writing(self) -> None:
        if self.transport is not None:
            self.transport.emptied()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            self.transport.lost(exc)
