"""Handshake: how a transport opens, by steps that are computed on the loop or in the context's handshake_executor."""

from __future__ import annotations

from asyncio import CancelledError, ensure_future
from contextvars import Context, copy_context
from functools import partial
from socket import MSG_DONTWAIT, MSG_PEEK
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.ending import Ending
from wiretight._asyncio.state import State
from wiretight._core.callbacks.suspension import put_decision, take_awaitable
from wiretight._core.drivers.channel import STATUS_DONE, STATUS_WANT_CALLBACK, STATUS_WANT_READ, STATUS_WANT_WRITE
from wiretight._standard.errors import CertificateError, SSLEOFError

if TYPE_CHECKING:
    from asyncio import Future
    from concurrent.futures import Executor
    from concurrent.futures import Future as Step

_FAILED = "SSL handshake failed"


class Handshake(Ending):
    """An Ending that shakes hands before it opens.

    With an executor, it lends the connection to one of its threads for each step, and watches nothing meanwhile. What
    ends the handshake in this time (close(), a timeout, a cancellation) is known to the program and to whoever waits at
    once; the descriptor is closed when the step has come back.

    A callback of the connection may be a coroutine function. What it returns is awaited between two steps, without a
    thread of the executor or any lock.
    """

    __slots__ = ("_executor", "_handshake_timeout", "_missed", "_negotiated")

    _executor: Executor | None
    _handshake_timeout: float
    _missed: bool  # more has arrived during the step, which may have ended without it
    _negotiated: dict[str, Any]

    def _begin_to_shake_hands(self) -> None:
        self._timer = self._loop.call_later(self._handshake_timeout, self._guarded, self._handshake_timed_out)
        if self._executor is None:
            self._watch_reading()
            self._progress()
        elif self._peer_begins():
            self._watch_reading()
        else:
            self._progress()

    def _peer_begins(self) -> bool:
        """Whether a first step could only wait for the peer."""
        return bool(self._ssl_object.server_side)

    def _progress(self) -> None:
        """Called when the descriptor is ready, in states in which data does not go to the protocol."""
        raise NotImplementedError

    def _continue_handshake(self) -> None:
        if self._decision is not None:
            self._look_for_end()
        elif self._executor is None:
            self._take_step()
        else:
            self._send_step_to(self._executor)

    def _take_step(self) -> None:
        try:
            status = self._shake_hands()
        except Exception as error:
            self._fail(error, _FAILED)
            return
        self._step_taken(status)

    def _step_taken(self, status: int) -> None:
        if status == STATUS_WANT_CALLBACK:
            self._suspended()
        elif status not in (STATUS_DONE, STATUS_WANT_READ, STATUS_WANT_WRITE):
            self._handshake_failed(self._failure())
        elif self._state is State.LOST:  # a callback has aborted
            return
        elif status == STATUS_WANT_WRITE:
            self._watch_writing(self._progress)
        else:
            self._unwatch_writing()
            if status == STATUS_DONE:
                self._open()

    def _open(self) -> None:
        self._cancel_timer()
        ssl_object = self._ssl_object
        self._negotiated = {
            "ssl_object": ssl_object,
            "peercert": ssl_object.getpeercert(),
            "cipher": ssl_object.cipher(),
            "compression": ssl_object.compression(),
        }
        self._enter(State.OPEN)
        if self._call_connection_made:
            self._call_connection_made = False
            try:
                self.get_protocol().connection_made(self)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._protocol_failed(error, "connection_made")
                return
        self._wake()
        if self._state is State.OPEN and self._eof_written:
            self._end_output()
        if self._state is State.OPEN and self._has_output():
            self._watch_writing(self._write_ready)
        if self._state is State.OPEN and self._has_more():
            self._read_later()

    def _handshake_failed(self, error: BaseException) -> None:
        if isinstance(error, SSLEOFError):
            error = ConnectionResetError("the peer closed the connection during the TLS handshake")
        certificate = " on verifying the certificate" if isinstance(error, CertificateError) else ""
        self._fail(error, f"{_FAILED}{certificate}")

    def _handshake_timed_out(self) -> None:
        self._timed_out = True
        self._fail(
            ConnectionAbortedError(
                f"SSL handshake is taking longer than {self._handshake_timeout} seconds: aborting the connection"
            )
        )

    # --- A callback that decides later ------------------------------------------------------------------------------

    def _suspended(self) -> None:
        """Awaits what a callback has returned. Called again if the descriptor is ready meanwhile."""
        if self._decision is not None:
            self._look_for_end()
            return
        if self._state is State.LOST:  # the callback has aborted
            self._drop_awaitable()
            return
        self._unwatch_writing()
        self._await_decision()

    def _await_decision(self) -> None:
        """Awaits what a callback has returned, if nobody does yet: a write can have met it, too."""
        awaitable: Any = take_awaitable(self._ssl_object._sslobj)
        if awaitable is None:
            return
        try:
            decision = ensure_future(awaitable, loop=self._loop)
        except Exception as error:  # a future of another loop
            self._go_on(None, error)
            return
        if self._state is State.LOST:  # an eager task has begun, and aborted
            decision.cancel()
            return
        self._decision = decision
        decision.add_done_callback(self._decided)

    def _look_for_end(self) -> None:
        """Notices that the peer is gone, as long as it has sent nothing more. That is read after the decision."""
        if self._ssl_object._sslobj.has_pending():  # it has been taken from the kernel already
            self._unwatch_reading()
            return
        try:
            more = self._sock.recv(1, MSG_PEEK | MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            self._handshake_failed(error)
            return
        if more:
            self._unwatch_reading()
        else:
            self._peer_is_gone()

    def _peer_is_gone(self) -> None:
        self._handshake_failed(SSLEOFError(8, "EOF occurred in violation of protocol"))

    def _decided(self, decision: Future[Any]) -> None:
        if self._decision is not decision:  # the connection has ended
            return
        self._decision = None
        error = CancelledError() if decision.cancelled() else decision.exception()
        result = None if error is not None else decision.result()
        self._guarded(partial(self._go_on, result, error))

    def _go_on(self, result: Any, error: BaseException | None) -> None:
        put_decision(self._ssl_object._sslobj, result, error)
        self._watch_reading()
        if self._state is State.HANDSHAKING:
            self._continue_handshake()
            return
        self._read_later()
        if self._has_output():  # which needs no read, and must not wait for one that the protocol has paused
            self._watch_writing(self._write_ready)

    # --- In the executor ----------------------------------------------------------------------------------------------

    def _send_step_to(self, executor: Executor) -> None:
        if self._is_lent():
            self._missed = True
            return
        self._unwatch_reading()
        self._unwatch_writing()
        self._missed = False
        # The step and what follows it on the loop see the same variables as if both ran here.
        variables = copy_context()
        if not self._lend():  # no descriptor is left for the thread
            self._watch_reading()
            self._take_step()
            return
        try:
            self._step = step = executor.submit(variables.run, self._shake_hands)
            step.add_done_callback(partial(self._step_ended, variables))
        except BaseException as error:
            # It may be run all the same: a ThreadPoolExecutor that cannot start a thread has it in its queue.
            self._ssl_object._sslobj.release()
            self._take_back()
            self._step = None
            self._executor_failed(error, "refused")

    def _executor_failed(self, error: BaseException, what: str) -> None:
        """Ends the handshake, which nobody would go on with, also if the loop ends by this error of its executor."""
        failure = RuntimeError(f"the handshake_executor has {what} a step of this handshake: {error!r}")
        failure.__cause__ = error
        self._fail(failure, _FAILED)
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error

    def _step_ended(self, variables: Context, step: Step[int]) -> None:
        """Called by the thread of the step, or of whoever cancels it."""
        try:
            self._loop.call_soon_threadsafe(self._guarded, partial(self._step_came_back, step), context=variables)
        except RuntimeError:  # the loop is closed: nothing on it will be called any more
            self._step = None

    def _end_program(self, step: Step[int]) -> None:
        """Raises what ends the program, of a step whose other results nobody waits for any more."""
        error = None if step.cancelled() else step.exception() or self._failure()
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error

    def _step_came_back(self, step: Step[int]) -> None:
        self._take_back()
        self._step = None
        if self._state is State.LOST:  # it has been ended meanwhile
            self._drop_awaitable()
            self._drop_output()
            self._loop.call_soon(self._call_connection_lost, self._reason)
            self._end_program(step)
            return
        if step.cancelled():
            self._fail(RuntimeError("the handshake_executor has cancelled a step of this handshake"), _FAILED)
            return
        try:
            status = step.result()
        except Exception as error:
            self._fail(error, _FAILED)
            return
        except BaseException as error:
            self._executor_failed(error, "broken off")
            return
        self._watch_reading()
        self._step_taken(status)
        if self._missed and self._state is State.HANDSHAKING:
            self._progress()
