"""Transport: TLS over a socket, on an event loop's add_reader() and add_writer()."""

from __future__ import annotations

import asyncio
import socket
import sys
import warnings
from asyncio import constants, transports, trsock
from asyncio.log import logger
from enum import Enum
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.flow import Flow
from wiretight._asyncio.taking import addresses, connection_over
from wiretight._core.channel import STATUS_CLOSED, STATUS_DONE, STATUS_WANT_READ, STATUS_WANT_WRITE
from wiretight._errors import CertificateError, SSLEOFError

if TYPE_CHECKING:
    from wiretight._context import SSLContext

# As asyncio has them for TLS; its modules name them since Python 3.11.
HANDSHAKE_TIMEOUT = 60.0
SHUTDOWN_TIMEOUT = 30.0

# What a peer may go on sending after close(): after more than that nobody waits for its close_notify.
_MOST_DISCARDED = 256 * 1024

_SERVERS_KNOW_TRANSPORTS = sys.version_info >= (3, 13)


class State(Enum):
    """The life of a transport; only `_set_state` changes it.

    HANDSHAKING -> OPEN -> FLUSHING (closing, with output left) -> CLOSING (close_notify is out) -> LOST. Any state may
    go to LOST.
    """

    HANDSHAKING = "shaking hands"
    OPEN = "open"
    FLUSHING = "flushing"
    CLOSING = "closing"
    LOST = "closed"


class SSLTransport(transports._FlowControlMixin, asyncio.Transport):
    """What a Transport says it is. It cannot be a subclass: the native half has another layout."""


class Transport(Flow):
    """TLS over a socket, as an asyncio transport: the loop's, no memory BIOs, and no buffers while it is idle.

    The end of the stream without close_notify is an error, SSLEOFError, never an end of file. write_eof() ends our
    direction only, and a protocol whose eof_received() returns true can go on writing. With `like_asyncio` these are as
    in asyncio's TLS: such an end is an end of file, and the end of one direction is that of both. In either case, what
    the peer sends after close() is forgotten instead of ending in an error.

    Since 0.1. Source: `asyncio.Transport`; RFC 8446, section 6.1.
    """

    __slots__ = (
        "_announces",
        "_discarded",
        "_eof_written",
        "_extra",
        "_like_asyncio",
        "_lost_writes",
        "_paused",
        "_peer_ended",
        "_server",
        "_shutdown_timeout",
        "_ssl_object",
        "_state",
        "_timer",
        "_waiter",
    )

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        context: SSLContext,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        handshake_timeout: float | None = None,
        shutdown_timeout: float | None = None,
        like_asyncio: bool = False,
        announces: bool = True,
        early: bytes | bytearray = b"",
    ) -> None:
        self._state = State.LOST
        handshake_timeout = _positive(handshake_timeout, HANDSHAKE_TIMEOUT, "ssl_handshake_timeout")
        self._shutdown_timeout = _positive(shutdown_timeout, SHUTDOWN_TIMEOUT, "ssl_shutdown_timeout")
        self._ssl_object = connection_over(sock, context, server_side, server_hostname)
        if server is not None:
            server._attach(*self._to_server())
        self._server = server
        Flow.__init__(self, loop, sock)
        self._bind(self._ssl_object._sslobj, early)
        self._extra = addresses(sock, extra)
        self._waiter = waiter
        self._announces = announces
        self._like_asyncio = like_asyncio
        self._paused = self._eof_written = self._peer_ended = False
        self._lost_writes = self._discarded = 0
        self.set_protocol(protocol)
        self._set_state(State.HANDSHAKING)
        self._timer: asyncio.TimerHandle | None = loop.call_later(
            handshake_timeout, self._handshake_timed_out, handshake_timeout
        )
        self._watch_reading()
        self._progress()

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return SSLTransport

    def __repr__(self) -> str:
        number = self._sock.fileno() if self._sock is not None else -1
        return f"<wiretight.asyncio.Transport fd={number} {self._state.value}>"

    def __del__(self) -> None:
        if getattr(self, "_sock", None) is not None:
            message = f"unclosed transport {self!r}"
            self._let_go()
            warnings.warn(message, ResourceWarning, source=self, stacklevel=2)

    def _let_go(self) -> None:
        """Closes our descriptor, and tells neither the loop nor the peer."""
        self._has_reader = self._has_writer = False
        self._set_state(State.LOST)
        self._ssl_object._sslobj.release()
        self._sock.close()
        self._sock = None

    def _is_left_to_parent(self) -> bool:
        """Whether this is the child of a fork, and does not run the loop: then the connection is its parent's.

        What it sent would have the numbers of the parent's next records, and the loop's selector is the parent's too
        (CPython issue 66197). A process that forks to become a daemon runs its loop, and keeps its transports.
        """
        return self._is_inherited() and asyncio._get_running_loop() is not self._loop

    # --- What it is ---------------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As asyncio's: "peername", "sockname", "socket", "sslcontext", and after the handshake "ssl_object",
        "peercert", "cipher" and "compression". Since 0.1.
        """
        if name == "sslcontext":
            return self._ssl_object.context
        if name in ("ssl_object", "peercert", "cipher", "compression"):
            if self._ssl_object.version() is None:
                return default
            if name == "peercert":
                return self._ssl_object.getpeercert()
            return self._ssl_object if name == "ssl_object" else getattr(self._ssl_object, name)()
        if name == "socket" and name not in self._extra and self._sock is not None:
            self._extra[name] = trsock.TransportSocket(self._sock)
        return self._extra.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Has another protocol get what comes from now on. Since 0.1."""
        self._set_protocol(protocol, isinstance(protocol, asyncio.BufferedProtocol))

    def is_closing(self) -> bool:
        """Whether it is closed, or being closed. Since 0.1."""
        return self._state not in (State.HANDSHAKING, State.OPEN)

    # --- Handshake ----------------------------------------------------------------------------------------------------

    def _progress(self) -> None:
        """The descriptor is ready, and what comes is not for the protocol."""
        if self._state is State.HANDSHAKING:
            self._go_on_shaking_hands()
        elif self._state in (State.FLUSHING, State.CLOSING):
            self._look_for_the_end()
        else:
            self._unwatch_reading()

    def _go_on_shaking_hands(self) -> None:
        try:
            status = self._shake_hands()
        except Exception as error:
            self._fail(error, "SSL handshake failed")
            return
        if status == STATUS_WANT_READ:
            self._unwatch_writing()
        elif status == STATUS_WANT_WRITE:
            self._watch_writing(self._progress)
        elif status == STATUS_DONE:
            self._unwatch_writing()
            self._open()
        else:
            self._refuse(self._failure())

    def _open(self) -> None:
        self._cancel_timer()
        self._set_state(State.OPEN)
        if self._announces:
            self._announces = False
            try:
                self.get_protocol().connection_made(self)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._protocol_failed(error, "connection_made")
                return
        self._wake()
        if self._state is State.OPEN and self._has_more():
            self._read_later()

    def _refuse(self, error: BaseException) -> None:
        if isinstance(error, SSLEOFError):
            error = ConnectionResetError("the peer closed the connection during the TLS handshake")
        certificate = " on verifying the certificate" if isinstance(error, CertificateError) else ""
        self._fail(error, f"SSL handshake failed{certificate}")

    def _handshake_timed_out(self, seconds: float) -> None:
        self._fail(
            ConnectionAbortedError(f"SSL handshake is taking longer than {seconds} seconds: aborting the connection")
        )

    def _wake(self, error: BaseException | None = None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    # --- Reading ------------------------------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        """Whether the protocol gets what comes. Since 0.1."""
        return not self._paused and not self.is_closing()

    def pause_reading(self) -> None:
        """Has the protocol get nothing until resume_reading(); the peer will have to wait. Since 0.1."""
        if not self.is_reading():
            return
        self._paused = True
        self._set_state(self._state)
        if self._state is State.OPEN:
            self._unwatch_reading()

    def resume_reading(self) -> None:
        """The end of pause_reading(). Since 0.1."""
        if not self._paused or self.is_closing():
            return
        self._paused = False
        self._set_state(self._state)
        if self._state is State.OPEN:
            self._watch_reading()
            if self._has_more():
                self._read_later()

    def _read_later(self) -> None:
        self._loop.call_soon(self._read_if_open)

    def _read_if_open(self) -> None:
        if self._state is State.OPEN and not self._paused:
            self._read_ready()

    def _read_ended(self, status: int) -> None:
        if status == STATUS_WANT_WRITE:
            self._unwatch_reading()  # the peer has us answer and reads nothing: until it does
            return
        if status != STATUS_CLOSED:
            error = self._failure()
            if not (self._like_asyncio and isinstance(error, SSLEOFError)):
                self._fail(error, "Fatal read error on socket transport")
                return
        self._peer_ended = True
        self._set_state(self._state)
        self._unwatch_reading()
        try:
            keep_open = self.get_protocol().eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._protocol_failed(error, "eof_received")
            return
        if keep_open and self._like_asyncio:
            logger.warning("returning true from eof_received() has no effect when using ssl")
        if not keep_open or self._like_asyncio:
            self.close()

    # --- Writing ------------------------------------------------------------------------------------------------------

    def can_write_eof(self) -> bool:
        """Whether write_eof() can be used. Since 0.1."""
        return not self._like_asyncio

    def write_eof(self) -> None:
        """Tells the peer that nothing follows (close_notify), after what has been written; reading goes on.

        Raises NotImplementedError on a transport that is `like_asyncio`. Since 0.1.
        Source: RFC 8446, section 6.1.
        """
        if self._like_asyncio:
            raise NotImplementedError("only the transports of wiretight.asyncio end one direction")
        if self._eof_written or self.is_closing():
            return
        self._eof_written = True
        self._set_state(self._state)
        if not self._has_output():
            self._send_close_notify()

    def _write_refused(self, data: Any) -> None:
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._state is State.HANDSHAKING:
            self._enqueue(data)
            return
        self._lost_writes += 1
        if self._lost_writes > constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
            logger.warning("SSL connection is closed")

    def _write_blocked(self) -> None:
        if self._state is not State.LOST:
            self._watch_writing(self._write_ready)
            self._control_writing()

    def _write_went_on(self, wants_write: bool) -> None:
        if not wants_write:
            self._unwatch_writing()  # it goes on after the next read
        self._control_writing()

    def _drained(self) -> None:
        self._unwatch_writing()
        self._control_writing()
        if self._state is State.LOST:  # the protocol was told to go on, and gave up
            return
        if not self._peer_ended and not (self._paused and self._state is State.OPEN):
            self._watch_reading()
        if self._has_output():  # the protocol was told to go on, and did
            return
        if self._state is State.FLUSHING or (self._eof_written and self._state is State.OPEN):
            self._send_close_notify()
        elif self._state is State.CLOSING and self._peer_ended:
            self._end(None)

    def _write_failed(self) -> None:
        if self._peer_ended and (self._like_asyncio or self._state is State.CLOSING):
            self._end(None)  # the peer has said that it leaves, and has left
            return
        self._fail(self._failure(), "Fatal write error on socket transport")

    # --- The end ------------------------------------------------------------------------------------------------------

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
        self._set_state(State.FLUSHING)
        self._timer = self._loop.call_later(self._shutdown_timeout, self._shutdown_timed_out)
        if not self._has_output():
            self._send_close_notify()
        if self._state is not State.LOST and not self._peer_ended:
            self._watch_reading()

    def abort(self) -> None:
        """Ends the connection at once, without close_notify; what waits to be sent is lost. Since 0.1."""
        if self._sock is not None and self._is_left_to_parent():
            self._let_go()
        else:
            self._end(None)

    def _send_close_notify(self) -> None:
        closing = self._state is State.FLUSHING
        self._notify()
        if closing:
            self._set_state(State.CLOSING)
        if self._has_output():
            self._watch_writing(self._write_ready)
        elif closing and self._peer_ended:
            self._end(None)

    def _look_for_the_end(self) -> None:
        """Closing: reads until the peer ends too, and forgets what it reads.

        To close with unread data in the kernel would be a reset, which can destroy what we have sent.
        """
        try:
            status, size = self._discard()
        except Exception as error:
            self._fail(error)
            return
        self._discarded += size
        if status in (STATUS_DONE, STATUS_WANT_READ, STATUS_WANT_WRITE):
            if self._discarded >= _MOST_DISCARDED and self._state is State.CLOSING:
                self._end(None)
            elif self._discarded >= _MOST_DISCARDED or status == STATUS_WANT_WRITE:
                self._unwatch_reading()  # until our output is gone
            return
        failure = None if status == STATUS_CLOSED else self._failure()
        if failure is not None and not isinstance(failure, SSLEOFError):
            self._fail(failure)
            return
        # We have said that we are leaving: a peer that leaves without a word has lost nothing of ours.
        self._peer_ended = True
        self._unwatch_reading()
        if self._state is State.CLOSING and not self._has_output():
            self._end(None)

    def _shutdown_timed_out(self) -> None:
        self._end(asyncio.TimeoutError("SSL shutdown timed out"))

    def _protocol_failed(self, error: BaseException, method: str) -> None:
        self._fail(error, f"Fatal error: protocol.{method}() call failed.")

    def _fail(self, error: BaseException, message: str = "Fatal error on transport") -> None:
        """The connection cannot go on. The protocol hears of trouble with the peer; the rest is reported."""
        if not isinstance(error, OSError):
            self._report(message, error)
        elif self._loop.get_debug():
            logger.debug("%r: %s", self, message, exc_info=error)
        self._end(error)

    def _force_close(self, exc: BaseException | None) -> None:
        """What asyncio's TLS over this transport calls."""
        self._end(exc)

    def _end(self, error: BaseException | None) -> None:
        if self._state is State.LOST:
            return
        opened = self._state is not State.HANDSHAKING
        announced = opened and not self._announces
        self._set_state(State.LOST)
        self._cancel_timer()
        self._unwatch_reading()
        self._unwatch_writing()
        self._drop_output()
        if error is None and not opened:
            self._wake(ConnectionAbortedError("the connection was closed during the TLS handshake"))
        else:
            self._wake(error)
        self._loop.call_soon(self._call_connection_lost, error, announced)

    def _call_connection_lost(self, error: BaseException | None, announced: bool) -> None:
        try:
            if announced:
                self.get_protocol().connection_lost(error)
        finally:
            if self._sock is not None:  # the protocol may have had it finalized
                self._let_go()
            self._protocol_paused = False
            self._set_protocol(None, False)
            server, self._server = self._server, None
            if server is not None:
                server._detach(*self._to_server())

    # --- State --------------------------------------------------------------------------------------

    def _set_state(self, state: State) -> None:
        self._state = state
        is_open = state is State.OPEN
        self._set_flow(is_open and not self._paused and not self._peer_ended, is_open and not self._eof_written)

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _take_place_of(self, plain: Any) -> None:
        """The server of `plain`, if it has one, waits for this connection instead."""
        self._server = getattr(plain, "_server", None)
        if self._server is not None and _SERVERS_KNOW_TRANSPORTS:
            self._server._clients.add(self)  # not by _attach(), which a closed server refuses
        elif self._server is not None:
            plain._server = None  # its place in the count is ours

    def _to_server(self) -> tuple[Transport, ...]:
        return (self,) if _SERVERS_KNOW_TRANSPORTS else ()


def _positive(timeout: float | None, default: float, name: str) -> float:
    if timeout is None:
        return default
    if timeout <= 0:
        raise ValueError(f"{name} should be a positive number, got {timeout}")
    return timeout
