"""Ending: the life of a transport, and how it ends: by close(), by abort(), by the peer, or by a failure."""

from __future__ import annotations

from asyncio import AbstractServer, CancelledError, Future, TimerHandle
from asyncio import TimeoutError as LoopTimeoutError
from asyncio.events import _get_running_loop
from asyncio.log import logger
from sys import version_info
from typing import Any

from wiretight._asyncio.flow import Flow
from wiretight._asyncio.state import CHECKED, TRANSITIONS, State
from wiretight._core.drivers.channel import STATUS_CLOSED, STATUS_DONE, STATUS_WANT_READ, STATUS_WANT_WRITE
from wiretight._standard.errors import SSLEOFError

_SERVERS_KNOW_TRANSPORTS = version_info >= (3, 13)


class Ending(Flow):
    """A Flow that ends, once, and tells the protocol and whoever waits."""

    __slots__ = (
        "_announces",
        "_eof_written",
        "_is_over",
        "_like_asyncio",
        "_paused",
        "_peer_ended",
        "_reads_again",
        "_server",
        "_shutdown_timeout",
        "_ssl_object",
        "_state",
        "_timer",
        "_waiter",
    )

    _announces: bool  # the protocol has not heard of the connection: connection_made() comes first
    _eof_written: bool
    _is_over: bool  # connection_lost() is on its way, or there is nothing to be lost
    _like_asyncio: bool
    _paused: bool
    _peer_ended: bool
    _reads_again: bool
    _server: Any
    _shutdown_timeout: float
    _ssl_object: Any
    _state: State
    _timer: TimerHandle | None
    _waiter: Future[None] | None

    # --- State --------------------------------------------------------------------------------------------------------

    def _enter(self, state: State) -> None:
        """The only way from one state to another: one of the table."""
        if CHECKED and state not in TRANSITIONS[self._state]:
            raise AssertionError(f"{self._state} does not lead to {state}")
        self._state = state
        self._update_flow()

    def _update_flow(self) -> None:
        """Has the native half deliver, accept and discard what the state, a pause and an end allow."""
        is_open = self._state is State.OPEN
        self._set_flow(
            is_open and not self._paused and not self._peer_ended,
            is_open and not self._eof_written,
            self._state not in (State.HANDSHAKING, State.OPEN),
        )

    def is_closing(self) -> bool:
        """Whether it is closed, or being closed. Since 0.1."""
        return self._state not in (State.HANDSHAKING, State.OPEN)

    def _is_left_to_parent(self) -> bool:
        """Whether this is the child of a fork, and does not run the loop: then the connection is its parent's.

        What it sent would have the numbers of the parent's next records, and the loop's selector is the parent's too
        (CPython issue 66197). A process that forks to become a daemon runs its loop, and keeps its transports.
        """
        return self._is_inherited() and _get_running_loop() is not self._loop

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _wake(self, error: BaseException | None = None) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
        self._waiter = None

    # --- Our end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Sends what has been written, then close_notify, and waits for the peer's, at most `ssl_shutdown_timeout`.

        The protocol gets no data any more, only connection_lost(), later. In the child of a fork that does not run the
        loop, it says nothing: the connection goes on in the parent. Since 0.1. Source: RFC 8446, section 6.1.
        """
        if self.is_closing():
            return
        if self._state is State.HANDSHAKING or self._is_left_to_parent():
            self.abort()
            return
        self._guarded(self._begin_to_close)

    def _begin_to_close(self) -> None:
        self._enter(State.FLUSHING)
        self._timer = self._loop.call_later(self._shutdown_timeout, self._guarded, self._shutdown_timed_out)
        self._end_output()
        if self._state is not State.LOST and not self._peer_ended:
            self._go_on_reading()

    def abort(self) -> None:
        """Ends the connection at once, without close_notify; what waits to be sent is lost. Since 0.1."""
        if self._sock is not None and self._is_left_to_parent():
            self._let_go()
        else:
            self._end(None)

    def _end_output(self) -> None:
        """Says close_notify as soon as everything that was written is out."""
        if self._is_in_callback():
            self._watch_writing(self._write_ready)
        elif not self._has_output():
            self._send_close_notify()

    def _send_close_notify(self) -> None:
        self._notify()
        if self._state is State.LOST:  # a message callback has aborted
            return
        closing = self._state is State.FLUSHING
        if closing:
            self._enter(State.CLOSING)
        if self._has_output():
            self._watch_writing(self._write_ready)
        elif closing and self._peer_ended:
            self._end(None)

    # --- The peer's end -----------------------------------------------------------------------------------------------

    def _read_ended(self, status: int) -> None:
        """Nothing more can be read: for the moment, because the peer has ended, or because of a failure."""
        if status == STATUS_WANT_WRITE:
            self._unwatch_reading()  # the peer has us answer and reads nothing: until it does
            return
        failure = None if status == STATUS_CLOSED else self._failure()
        # Where we have said that we are leaving, a peer that leaves without a word has lost nothing of ours.
        is_end = isinstance(failure, SSLEOFError) and (self._like_asyncio or self.is_closing())
        if failure is not None and not is_end:
            self._fail(failure, "Fatal read error on socket transport")
        elif self._state is not State.LOST:
            self._peer_ended = True
            self._update_flow()
            self._unwatch_reading()
            self._answer_end()

    def _answer_end(self) -> None:
        was_open = self._state is State.OPEN
        keep_open = False
        if was_open or self._like_asyncio:
            try:
                keep_open = self.get_protocol().eof_received()
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._protocol_failed(error, "eof_received")
                return
        if was_open and keep_open and self._like_asyncio:
            logger.warning("returning true from eof_received() has no effect when using ssl")
        if was_open and (not keep_open or self._like_asyncio):
            self.close()
        elif self._state is State.CLOSING and not self._has_output():
            self._end(None)

    def _look_for_the_end(self) -> None:
        """Closing: reads until the peer ends too, and forgets what it reads; the timer is its bound.

        To close with unread data in the kernel would be a reset, which can destroy what we have sent. And a peer that
        answers what it gets reads on only if its answers are read.
        """
        if self._peer_ended:
            self._unwatch_reading()
            return
        try:
            status = self._discard()
        except Exception as error:
            self._fail(error)
            return
        if status == STATUS_DONE:
            self._read_later()
        elif status != STATUS_WANT_READ:
            self._read_ended(status)

    def _go_on_reading(self) -> None:
        """Watches the descriptor again, and looks at what it will not report: what the wire has taken already."""
        self._watch_reading()
        if self._has_more():
            self._read_later()

    def _read_later(self) -> None:
        if not self._reads_again:
            self._loop.call_soon(self._guarded, self._read_again)
            self._reads_again = True

    def _read_again(self) -> None:
        self._reads_again = False
        if self._state in (State.FLUSHING, State.CLOSING):
            self._look_for_the_end()
        elif self._state is State.OPEN and not self._paused and not self._peer_ended:
            self._read_ready()

    # --- Failures -----------------------------------------------------------------------------------------------------

    def _shutdown_timed_out(self) -> None:
        self._end(LoopTimeoutError("SSL shutdown timed out"))

    def _protocol_failed(self, error: BaseException, method: str) -> None:
        self._fail(error, f"Fatal error: protocol.{method}() call failed.")

    def _fail(self, error: BaseException, message: str = "Fatal error on transport") -> None:
        """The connection cannot go on. The protocol hears of trouble with the peer; the rest is reported.

        A CancelledError is not, as in asyncio: it means a task, and not a defect.
        """
        try:
            if isinstance(error, OSError):
                if self._loop.get_debug():
                    logger.debug("%r: %s", self, message, exc_info=error)
            elif not isinstance(error, CancelledError):
                self._report(message, error)
        finally:
            self._end(error)

    def _broke(self, error: BaseException) -> None:
        self._fail(error)

    def _force_close(self, exc: BaseException | None) -> None:
        """What asyncio's TLS over this transport calls."""
        self._end(exc)

    # --- The end ------------------------------------------------------------------------------------------------------

    def _end(self, error: BaseException | None) -> None:
        if self._is_over:  # and not where it failed in the middle, for want of memory: that goes on here
            return
        shaking = self._state is State.HANDSHAKING
        if self._state is not State.LOST:
            self._enter(State.LOST)
        self._cancel_timer()
        self._unwatch_reading()
        self._unwatch_writing()
        self._drop_output()
        if error is None and shaking:
            self._wake(ConnectionAbortedError("the connection was closed during the TLS handshake"))
        else:
            self._wake(error)
        self._loop.call_soon(self._call_connection_lost, error)
        self._is_over = True

    def _call_connection_lost(self, error: BaseException | None) -> None:
        try:
            tell = self.get_protocol().connection_lost
        except MemoryError:
            self._loop.call_soon(self._call_connection_lost, error)
            return
        try:
            if not self._announces:
                tell(error)
        finally:
            if self._sock is not None:  # the protocol may have had it finalized
                self._let_go()
            self._protocol_paused = False
            self._set_protocol(None, False)
            server, self._server = self._server, None
            if server is not None:
                server._detach(*self._to_server())

    def _let_go(self) -> None:
        """Closes our descriptor, and tells neither the loop nor the peer."""
        self._is_over = True
        if self._state is not State.LOST:
            self._enter(State.LOST)
        self._ssl_object._sslobj.release()
        self._close_socket()

    # --- The server ---------------------------------------------------------------------------------------------------

    def _join(self, server: AbstractServer | None) -> None:
        """`server` waits for this connection before it is closed."""
        if server is not None:
            server._attach(*self._to_server())  # type: ignore[attr-defined]
        self._server = server

    def _to_server(self) -> tuple[Ending, ...]:
        return (self,) if _SERVERS_KNOW_TRANSPORTS else ()
