"""LayeredSSLTransport: TLS over an open transport, which then carries the ciphertext."""

from __future__ import annotations

from asyncio import AbstractEventLoop, BaseProtocol, Future, Protocol
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.flow import HIGH_WATER
from wiretight._asyncio.state import State
from wiretight._asyncio.transport import SSLTransport
from wiretight._core.wire.memorybio import MemoryBIO

if TYPE_CHECKING:
    from concurrent.futures import Future as Step

    from wiretight._tls.context import SSLContext

_MAX_RESPONSES = 128 * 1024  # bytes, to a peer that requests them but does not read


class LayeredSSLTransport(SSLTransport):
    """A Transport over a plain one and two memory BIOs, instead of a socket.

    The plain transport stays usable, so that whoever has kept it, as a StreamReader has, can still pause, close, abort
    or query it. It keeps the socket, its server's count of it, and the data written before TLS. Its write buffer and
    its limits are ours too.

    Since 0.1. Source: `loop.start_tls`.
    """

    __slots__ = ("_carrier", "_incoming", "_is_full", "_outgoing", "_plain", "_responses")

    _responses: int  # bytes sent only in response to the peer's, since the plain transport was full
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
        """Checks the arguments, and does not touch `plain` until begin()."""
        self._prepare(context, handshake_timeout, shutdown_timeout, like_asyncio)
        self._incoming, self._outgoing = MemoryBIO(), MemoryBIO()
        self._ssl_object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side,
            server_hostname=None if server_side else server_hostname or None,
        )  # fmt: skip
        self._plain = plain
        self._loop = loop
        self._server = None
        self._is_full = False
        self._responses = 0

    def begin(
        self, protocol: BaseProtocol, waiter: Future[None] | None, *, call_connection_made: bool, early: bytes = b""
    ) -> None:
        """Makes the plain transport carry TLS from now on; `early` is the part of it that has already arrived.

        `call_connection_made`: whether the protocol is still to be informed of the connection. Since 0.1.
        """
        self._call_connection_made = call_connection_made
        self._plain.pause_reading()
        self._carrier = _Carrier(self)
        self._plain.set_protocol(self._carrier)
        self._plain.set_write_buffer_limits(HIGH_WATER)
        self._init_flow(self._loop, self._plain.get_extra_info("socket"))
        self._extra = {name: self._plain.get_extra_info(name) for name in ("socket", "sockname", "peername")}
        self._incoming.write(early)
        self._start(protocol, waiter, edge_triggered=True)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As any Transport's, and otherwise the plain one's. Since 0.1."""
        found = super().get_extra_info(name, self)
        return self._plain.get_extra_info(name, default) if found is self else found

    def is_closing(self) -> bool:
        """Whether it, or the plain transport, is closed or being closed. Since 0.1."""
        return super().is_closing() or self._plain.is_closing()

    # --- Incoming -----------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Ciphertext has arrived. Since 0.1."""
        self._incoming.write(data)
        self._read_ready()

    def ended(self) -> None:
        """No more will arrive. Since 0.1."""
        self._incoming.write_eof()
        self._read_ready()

    def lost(self, error: BaseException | None) -> None:
        """The plain transport has lost the connection. Since 0.1."""
        if self._peer_ended and (self._like_asyncio or self._state is State.CLOSING):
            error = None  # the peer had announced that it would close
        self._end(error)

    def _read_ready(self) -> None:
        super()._read_ready()
        self._responses = self._responses + self._outgoing.pending if self._is_full else 0
        self._forward()
        if self._responses > _MAX_RESPONSES:
            self._unwatch_reading()  # until the peer has read them

    def _progress(self) -> None:
        super()._progress()
        self._forward()

    def _peer_begins(self) -> bool:
        return super()._peer_begins() and not self._incoming.pending

    def _step_came_back(self, step: Step[int]) -> None:
        super()._step_came_back(step)
        self._forward()

    def _go_on(self, result: Any, error: BaseException | None) -> None:
        super()._go_on(result, error)
        self._forward()

    def _look_for_end(self) -> None:
        if self._incoming.eof:
            self._peer_is_gone()
        elif self._incoming.pending:
            self._unwatch_reading()

    def _watch_reading(self) -> None:
        # While closing, somebody else may have paused the plain transport, but the peer's end must arrive.
        if (not self._has_reader or self.is_closing()) and not self._plain.is_closing():
            self._plain.resume_reading()
            self._has_reader = True

    def _unwatch_reading(self) -> None:
        if self._has_reader:
            self._has_reader = False
            if not self._plain.is_closing():
                self._plain.pause_reading()

    def _check_descriptor(self) -> None:
        """There is none."""

    # --- Outgoing -----------------------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """As any Transport's. Since 0.1."""
        super().write(data)
        self._guarded(self._forward)

    def writelines(self, list_of_data: Any) -> None:
        """As any Transport's. Since 0.1."""
        super().writelines(list_of_data)
        self._guarded(self._forward)

    def key_update(self, *, request_peer: bool = False) -> None:
        """As any Transport's. Since 0.1.

        OpenSSL: SSL_key_update(3)
        """
        super().key_update(request_peer=request_peer)
        self._forward()

    def filled(self) -> None:
        """The plain transport's buffer is full. Since 0.1."""
        self._is_full = True
        if self._state in (State.HANDSHAKING, State.OPEN):
            self._pause_protocol()

    def emptied(self) -> None:
        """The plain transport's buffer has room. Since 0.1."""
        if not self._is_full:  # it was full before TLS, and paused the protocol
            self._protocol_paused = True
        self._is_full = False
        self._responses = 0
        self._drained()

    def get_write_buffer_size(self) -> int:
        """As any Transport's. Since 0.1."""
        return super().get_write_buffer_size() + (0 if self._state is State.LOST else self._plain_buffer_size())

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
        return super()._has_output() or self._plain_buffer_size() > 0

    def _plain_buffer_size(self) -> int:
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
            self._guarded(self._forward)

    def _unwatch_writing(self) -> None:
        self._has_writer = False

    def _end_output(self) -> None:
        # emptied() is then called when it is empty.
        if not self._plain.is_closing():
            self._plain.set_write_buffer_limits(0)
        super()._end_output()

    def _send_close_notify(self) -> None:
        super()._send_close_notify()
        self._forward()

    def _forward(self) -> None:
        """Writes the ciphertext to the plain transport."""
        if self._outgoing.pending:
            data = self._outgoing.read()
            if not self._plain.is_closing():
                self._plain.write(data)

    # --- The end ------------------------------------------------------------------------------------------------------

    def _end(self, error: BaseException | None) -> None:
        if not self._is_over:
            try:
                self._forward()  # the alert with the reason
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
