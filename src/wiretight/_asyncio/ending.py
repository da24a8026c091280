"""Ending: the states of a transport, and how it ends: by close(), by abort(), by the peer, or by a failure."""

from __future__ import annotations

from asyncio import AbstractServer, CancelledError, Future, TimerHandle
from asyncio import TimeoutError as LoopTimeoutError
from asyncio.events import _get_running_loop
from asyncio.log import logger
from sys import version_info
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.flow import Flow
from wiretight._asyncio.state import CHECKED, TRANSITIONS, State
from wiretight._core.callbacks.suspension import drop_awaitable
from wiretight._core.drivers.channel import (
    STATUS_CLOSED,
    STATUS_DONE,
    STATUS_WANT_CALLBACK,
    STATUS_WANT_READ,
    STATUS_WANT_WRITE,
)
from wiretight._standard.errors import SSLEOFError

if TYPE_CHECKING:
    from concurrent.futures import Future as Step

_SERVERS_KNOW_TRANSPORTS = version_info >= (3, 13)


class Ending(Flow):
    """A Flow that ends once, and then informs the protocol and whoever waits for the handshake."""

    __slots__ = (
        "_call_connection_made",
        "_decision",
        "_eof_written",
        "_is_over",
        "_like_asyncio",
        "_paused",
        "_peer_ended",
        "_read_scheduled",
        "_reason",
        "_server",
        "_shutdown_timeout",
        "_ssl_object",
        "_state",
        "_step",
        "_timed_out",
        "_timer",
        "_waiter",
        "_waiter_callbacks",
    )

    _call_connection_made: bool  # not called yet: it comes before any other call of the protocol
    _decision: Future[Any] | None  # of a callback of the connection, which awaits it
    _eof_written: bool
    _is_over: bool  # connection_lost() is scheduled, or not needed
    _like_asyncio: bool
    _paused: bool
    _peer_ended: bool
    _read_scheduled: bool
    _reason: BaseException | None  # of the end, for connection_lost()
    _server: Any
    _shutdown_timeout: float
    _ssl_object: Any
    _state: State
    _step: Step[int] | None  # of the handshake, in the handshake_executor
    _timed_out: bool  # the handshake has taken too long
    _timer: TimerHandle | None
    _waiter: Future[None] | None
    _waiter_callbacks: list[tuple[Any, Any]]  # still to be scheduled, with their contexts

    # --- State --------------------------------------------------------------------------------------------------------

    def _enter(self, state: State) -> None:
        """The only way to change the state: by a transition of the table."""
        if CHECKED and state not in TRANSITIONS[self._state]:
            raise AssertionError(f"{self._state} does not lead to {state}")
        self._state = state
        self._update_flow()

    def _update_flow(self) -> None:
        """Updates what the native half delivers, accepts and discards: it depends on the state, a pause or an end."""
        is_open = self._state is State.OPEN
        self._set_flow(
            is_open and not self._paused and not self._peer_ended,
            is_open and not self._eof_written,
            self._state not in (State.HANDSHAKING, State.OPEN),
        )

    def is_closing(self) -> bool:
        """Whether it is closed, or being closed. Since 0.1."""
        if self._state is State.HANDSHAKING:  # asyncio asks whether the number of its socket may be another's by now
            return self._sock is not None and self._sock.fileno() < 0
        return self._state is not State.OPEN

    def _belongs_to_parent(self) -> bool:
        """Whether this is the child of a fork and does not run the loop: then the parent owns the connection.

        Its records would have the numbers of the parent's next ones, and the parent owns the loop's selector, too
        (CPython issue 66197). A process that forks to become a daemon runs the loop, and keeps its transports.
        """
        return self._is_inherited() and _get_running_loop() is not self._loop

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _cancel_decision(self) -> None:
        decision, self._decision = self._decision, None
        if decision is not None:
            decision.cancel()

    def _drop_awaitable(self) -> None:
        """What a callback has returned, and nobody awaits any more: a coroutine would warn of that."""
        drop_awaitable(self._ssl_object._sslobj)

    def _wake(self, error: BaseException | None = None) -> None:
        """Ends the wait for the handshake. Can be called again if it fails for lack of memory.

        A future that lacks the memory to schedule its callbacks is done all the same, and forgets them: the task that
        awaits it would sleep forever.
        """
        waiter = self._waiter
        if waiter is None:
            return
        if not waiter.done():
            self._waiter_callbacks = list(waiter._callbacks or ())
            try:
                if error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(error)
                self._waiter_callbacks.clear()
            except Exception:
                if not waiter.done():
                    raise
        while self._waiter_callbacks:
            callback, context = self._waiter_callbacks[0]
            self._loop.call_soon(callback, waiter, context=context)
            del self._waiter_callbacks[0]
        self._waiter = None

    # --- Our end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Sends what has been written, then close_notify, and waits for the peer's, at most `ssl_shutdown_timeout`.

        The protocol gets no more data, only connection_lost() later. In the child of a fork that does not run the loop,
        nothing is sent: the connection continues in the parent. Since 0.1. Source: RFC 8446, section 6.1.
        """
        if self._state not in (State.HANDSHAKING, State.OPEN):
            return
        if self._state is State.HANDSHAKING or self._belongs_to_parent():
            self.abort()
            return
        self._guarded(self._begin_to_close)

    def _begin_to_close(self) -> None:
        if self._decision is not None:  # amid a request of the peer, without whose answer nothing can be sent
            self._end(None)
            return
        self._enter(State.FLUSHING)
        self._timer = self._loop.call_later(self._shutdown_timeout, self._guarded, self._shutdown_timed_out)
        self._end_output()
        if self._state is not State.LOST and not self._peer_ended:
            self._resume_watching()

    def abort(self) -> None:
        """Ends the connection at once, without close_notify; buffered output is lost. Since 0.1."""
        if self._sock is not None and self._belongs_to_parent():
            self._abandon()
        else:
            self._end(None)

    def _end_output(self) -> None:
        """Sends close_notify once all output has been sent."""
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
            self._unwatch_reading()  # until the peer, which makes us respond, reads our responses
            return
        failure = None if status == STATUS_CLOSED else self._failure()
        # After our close_notify, a peer that closes without one has lost nothing.
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

    def _discard_until_end(self) -> None:
        """While closing: reads and discards data until the peer ends too, or the timer expires.

        Closing with unread data in the kernel would send a reset, which can destroy data that we have sent. And a peer
        that responds to what it reads may stop reading if its responses are not read.
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
        elif status == STATUS_WANT_CALLBACK:  # a server asks for a certificate, and gets no answer any more
            self._drop_awaitable()
            self._end(None)
        elif status != STATUS_WANT_READ:
            self._read_ended(status)

    def _resume_watching(self) -> None:
        """Watches the descriptor again, and schedules a read of data that the wire has already consumed from it.

        Not while a step of the handshake is in the executor, after which it is watched again.
        """
        if self._is_lent():
            return
        self._watch_reading()
        if self._has_more():
            self._read_later()

    def _read_later(self) -> None:
        if not self._read_scheduled:
            self._loop.call_soon(self._guarded, self._read_again)
            self._read_scheduled = True

    def _read_again(self) -> None:
        self._read_scheduled = False
        if self._state in (State.FLUSHING, State.CLOSING):
            self._discard_until_end()
        elif self._state is State.OPEN and not self._paused and not self._peer_ended:
            self._read_ready()

    # --- Failures -----------------------------------------------------------------------------------------------------

    def _shutdown_timed_out(self) -> None:
        self._end(LoopTimeoutError("SSL shutdown timed out"))

    def _protocol_failed(self, error: BaseException, method: str) -> None:
        self._fail(error, f"Fatal error: protocol.{method}() call failed.")

    def _fail(self, error: BaseException, message: str = "Fatal error on transport") -> None:
        """Ends the connection after an error. An OSError goes to the protocol only; any other is also reported.

        Except a CancelledError, as in asyncio, because it concerns a task and is not a defect. What ends the program,
        which a callback of the connection may have raised, is raised here, and ends the loop.
        """
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            self._end(ConnectionAbortedError("a callback of the connection has ended the program"))
            raise error
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
        """Called by asyncio's TLS over this transport."""
        self._end(exc)

    # --- The end ------------------------------------------------------------------------------------------------------

    def _end(self, error: BaseException | None) -> None:
        if self._is_over:  # not after a failure halfway, from a lack of memory: that is completed here
            return
        was_handshaking = self._state is State.HANDSHAKING
        if self._state is not State.LOST:
            self._enter(State.LOST)
        self._cancel_timer()
        self._cancel_decision()
        self._unwatch_reading()
        self._unwatch_writing()
        self._drop_output()
        if error is None and was_handshaking:
            self._wake(ConnectionAbortedError("the connection was closed during the TLS handshake"))
        else:
            self._wake(error)
        self._reason = error
        if not self._is_lent():
            self._loop.call_soon(self._call_connection_lost, error)
        elif self._step is not None:
            self._step.cancel()  # it does not begin, or it ends by itself; connection_lost() follows in either case
        self._is_over = True

    def _call_connection_lost(self, error: BaseException | None) -> None:
        try:
            connection_lost = self.get_protocol().connection_lost
        except MemoryError:
            self._loop.call_soon(self._call_connection_lost, error)
            return
        except BaseException:
            self._leave_protocol()
            raise
        try:
            if not self._call_connection_made:
                connection_lost(error)
        finally:
            self._leave_protocol()

    def _leave_protocol(self) -> None:
        """The last thing that a transport does."""
        if self._sock is not None:  # the protocol may have caused its destructor to run
            self._abandon()
        self._protocol_paused = False
        self._set_protocol(None, False)

    def _abandon(self) -> None:
        """Closes our descriptor, without informing the loop or the peer; the server no longer waits for us."""
        self._is_over = True
        if self._state is not State.LOST:
            self._enter(State.LOST)
        if self._timed_out:
            self._note_timeout()
        try:
            self._ssl_object._sslobj.release()  # raises what ends the program, from a handshake_callback
        finally:
            self._take_back()  # of a loop that was closed, or of a fork
            self._close_socket()
            self._detach_from_server()

    # --- The server ---------------------------------------------------------------------------------------------------

    def _attach_to(self, server: AbstractServer | None) -> None:
        """Counts this connection in `server`, whose wait_closed() waits for it."""
        if server is not None:
            server._attach(*self._server_arguments())  # type: ignore[attr-defined]
        self._server = server

    def _detach_from_server(self) -> None:
        server, self._server = self._server, None
        if server is None or self._loop.is_closed():
            return
        if _get_running_loop() is self._loop:
            server._detach(*self._server_arguments())
        elif not self._is_inherited():  # in a destructor, which runs in any thread
            self._loop.call_soon_threadsafe(server._detach, *self._server_arguments())

    def _server_arguments(self) -> tuple[Ending, ...]:
        return (self,) if _SERVERS_KNOW_TRANSPORTS else ()
