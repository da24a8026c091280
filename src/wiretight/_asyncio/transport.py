"""Transport: TLS over a socket, on an event loop's add_reader() and add_writer()."""

from __future__ import annotations

from asyncio import AbstractEventLoop, BaseProtocol, BufferedProtocol, Future, constants, transports
from asyncio import Transport as AsyncioTransport
from asyncio.log import logger
from asyncio.trsock import TransportSocket
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.descriptors import descriptors_of
from wiretight._asyncio.handshake import Handshake
from wiretight._asyncio.state import LIVE, State
from wiretight._asyncio.takeover import addresses, connection_over
from wiretight._core.context.executor import handshake_executor
from wiretight._tls.negotiated import close_unclosed

if TYPE_CHECKING:
    from wiretight._standard.system import PlainSocket
    from wiretight._tls.context import SSLContext

# As in asyncio's TLS, which has names for them since Python 3.11.
HANDSHAKE_TIMEOUT = 60.0
SHUTDOWN_TIMEOUT = 30.0

_NEGOTIATED = ("ssl_object", "peercert", "cipher", "compression")  # in get_extra_info() after the handshake


class AsyncioSSLTransport(transports._FlowControlMixin, AsyncioTransport):
    """The `__class__` of our transports, which cannot be subclasses: the layout of the native half conflicts."""


class SSLTransport(Handshake):
    """TLS over a socket, as an asyncio transport, without memory BIOs, and without buffers while idle.

    The end of the stream without close_notify is an error, SSLEOFError, never an EOF. write_eof() ends our direction
    only, and a protocol whose eof_received() returns true can continue writing. With `like_asyncio` these are as in
    asyncio's TLS: such an end is an EOF, and the end of one direction ends both. In either case, the peer's data after
    close() is discarded, and not an error.

    Programs look for "SSL" in the name of the type, as in asyncio's and uvloop's. Since 0.1.
    Source: `asyncio.Transport`; RFC 8446, section 6.1.
    """

    # With a __dict__ too, because programs add attributes to asyncio's transports.
    __slots__ = ("__dict__", "_extra", "_ignored_writes")

    _extra: dict[str, Any]
    _ignored_writes: int

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    def __init__(
        self,
        loop: AbstractEventLoop,
        sock: PlainSocket,
        protocol: BaseProtocol,
        context: SSLContext,
        waiter: Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        handshake_timeout: float | None = None,
        shutdown_timeout: float | None = None,
        like_asyncio: bool = False,
    ) -> None:
        descriptors_of(loop).check_unused(sock)
        self._prepare(context, handshake_timeout, shutdown_timeout, like_asyncio)
        self._ssl_object = connection_over(sock, context, server_side, server_hostname)
        self._take_over(loop, sock)
        self._extra = addresses(sock, extra)
        self._attach_to(server)
        self._start(protocol, waiter, stops_in_error=self._descriptors.stops_in_error)

    def _prepare(
        self,
        context: SSLContext,
        handshake_timeout: float | None,
        shutdown_timeout: float | None,
        like_asyncio: bool,
    ) -> None:
        """The part that needs no connection. Raises ValueError for an invalid timeout."""
        self._state = State.NEW
        self._is_over = True
        self._timer = None
        self._handshake_timeout = positive(handshake_timeout, HANDSHAKE_TIMEOUT, "ssl_handshake_timeout")
        self._shutdown_timeout = positive(shutdown_timeout, SHUTDOWN_TIMEOUT, "ssl_shutdown_timeout")
        self._like_asyncio = like_asyncio
        self._call_connection_made = True
        self._paused = self._eof_written = self._peer_ended = self._read_scheduled = False
        self._timed_out = False
        self._ignored_writes = 0
        self._executor = handshake_executor(context)
        self._step = self._reason = self._decision = self._server = None
        self._negotiated = {}

    def _start(
        self,
        protocol: BaseProtocol,
        waiter: Future[None] | None,
        *,
        edge_triggered: bool = False,
        stops_in_error: bool = False,
    ) -> None:
        """Starts the handshake."""
        self._waiter = waiter
        self._waiter_callbacks = []
        self._ssl_object._sslobj.ask_session_store()
        self._bind(self._ssl_object._sslobj, edge_triggered, stops_in_error)
        self.set_protocol(protocol)
        self._enter(State.HANDSHAKING)
        self._is_over = False
        self._guarded(self._begin_to_shake_hands)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return AsyncioSSLTransport

    def __repr__(self) -> str:
        number = self._sock.fileno() if self._sock is not None else -1
        return f"<wiretight.asyncio.Transport fd={number} {self._state.value}>"

    def __del__(self) -> None:
        if getattr(self, "_sock", None) is not None:
            close_unclosed("transport ", self, self._abandon)

    # --- Information --------------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As asyncio's: "peername", "sockname", "socket", "sslcontext", and after the handshake "ssl_object",
        "peercert", "cipher" and "compression", which outlast the connection. Since 0.1.
        """
        if name == "sslcontext":
            return self._ssl_object.context
        if name == "peercert" and not self._is_lent() and self._ssl_object.version() is not None:
            return self._ssl_object.getpeercert()  # which the server may have requested after the handshake
        if name in _NEGOTIATED:
            return self._negotiated.get(name, default)
        if name == "socket" and name not in self._extra and self._sock is not None:
            self._extra[name] = TransportSocket(self._sock)
        return self._extra.get(name, default)

    @property
    def _sslcontext(self) -> SSLContext:
        """For aiohttp's tests; programs use get_extra_info()."""
        context: SSLContext = self._ssl_object.context
        return context

    def set_protocol(self, protocol: BaseProtocol) -> None:
        """Sets the protocol that receives data from now on. Since 0.1."""
        self._set_protocol(protocol, isinstance(protocol, BufferedProtocol))

    # --- Reading ------------------------------------------------------------------------------------------------------

    def _progress(self) -> None:
        """Called when the descriptor is ready, in states in which data does not go to the protocol."""
        if self._state is State.HANDSHAKING:
            self._continue_handshake()
        elif self._state in (State.FLUSHING, State.CLOSING):
            self._discard_until_end()
        else:
            self._unwatch_reading()

    def is_reading(self) -> bool:
        """Whether the protocol receives data. Since 0.1."""
        return not self._paused and not self.is_closing()

    def pause_reading(self) -> None:
        """Stops passing data to the protocol until resume_reading(); the peer has to wait. Since 0.1."""
        if not self.is_reading():
            return
        self._paused = True
        self._update_flow()
        if self._state is State.OPEN:
            self._unwatch_reading()

    def resume_reading(self) -> None:
        """Reverts pause_reading(). Since 0.1."""
        if not self._paused or self.is_closing():
            return
        self._guarded(self._resume)

    def _resume(self) -> None:
        self._paused = False
        self._update_flow()
        if self._state is State.OPEN and not self._peer_ended:
            self._resume_watching()

    # --- Writing ------------------------------------------------------------------------------------------------------

    def can_write_eof(self) -> bool:
        """Whether write_eof() can be used. Since 0.1."""
        return not self._like_asyncio

    def write_eof(self) -> None:
        """Sends close_notify after what has been written; reading continues.

        Raises NotImplementedError on a transport with `like_asyncio`. Since 0.1.
        Source: RFC 8446, section 6.1.
        """
        if self._like_asyncio:
            raise NotImplementedError("only the transports of wiretight.asyncio can end one direction")
        if self._eof_written or self.is_closing():
            return
        self._eof_written = True
        self._update_flow()
        if self._state is State.OPEN:  # or after the handshake
            self._guarded(self._end_output)

    def key_update(self, *, request_peer: bool = False) -> None:
        """Encrypts what is written from now on with new keys; with `request_peer`, has the peer do the same.

        As SSLSocket.key_update(). What was written and still waits here gets the new keys too. Raises ValueError before
        the handshake is done, on TLS 1.2, once the transport is closed and after write_eof(); OSError (EBADF) if the
        program has closed the socket. Since 0.1.
        Source: RFC 8446, section 4.6.3.
        OpenSSL: SSL_key_update(3)
        """
        if self._state is not State.OPEN or self._eof_written:
            raise ValueError(f"key_update() needs an open connection that it can write to, not {self!r}")
        self._check_descriptor()
        self._ssl_object.key_update(request_peer=request_peer)
        if self._has_output():
            self._write_blocked()

    def _write_refused(self, data: Any) -> None:
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._state is State.HANDSHAKING:
            self._enqueue(data)
            return
        self._ignored_writes += 1
        if self._ignored_writes > constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
            logger.warning("SSL connection is closed")

    def _write_blocked(self) -> None:
        if self._state is not State.LOST:
            self._watch_writing(self._write_ready)
            self._control_writing()

    def _write_went_on(self, wants_write: bool) -> None:
        if not wants_write:
            self._unwatch_writing()  # it continues after the next read, or after the decision that it waits for
            self._await_decision()
        self._control_writing()

    def _drained(self) -> None:
        self._unwatch_writing()
        self._control_writing()
        if self._state not in LIVE:  # the protocol has aborted in resume_writing()
            return
        if not self._peer_ended and not (self._paused and self._state is State.OPEN):
            self._resume_watching()
        if self._has_output():  # the protocol has written in resume_writing()
            return
        if self._state is State.FLUSHING or (self._eof_written and self._state is State.OPEN):
            self._send_close_notify()
        elif self._state is State.CLOSING and self._peer_ended:
            self._end(None)

    def _write_failed(self) -> None:
        failure = self._failure()
        if self._peer_ended and (self._like_asyncio or self._state is State.CLOSING):
            self._end(None)  # the peer had announced that it would close
            return
        self._fail(failure, "Fatal write error on socket transport")


def positive(timeout: float | None, default: float, name: str) -> float:
    """`timeout` or its default. Raises ValueError unless asyncio would accept it. Since 0.1."""
    if timeout is None:
        return default
    if timeout <= 0:
        raise ValueError(f"{name} should be a positive number, got {timeout}")
    return timeout
