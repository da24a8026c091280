"""Transport: TLS over a socket, on an event loop's add_reader() and add_writer()."""

from __future__ import annotations

from asyncio import AbstractEventLoop, BaseProtocol, BufferedProtocol, Future, constants, transports
from asyncio import Transport as AsyncioTransport
from asyncio.log import logger
from asyncio.trsock import TransportSocket
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.descriptors import descriptors_of
from wiretight._asyncio.ending import Ending
from wiretight._asyncio.state import LIVE, State
from wiretight._asyncio.takeover import addresses, connection_over
from wiretight._core.drivers.channel import STATUS_DONE, STATUS_WANT_READ, STATUS_WANT_WRITE
from wiretight._standard.errors import CertificateError, SSLEOFError
from wiretight._tls.negotiated import close_forgotten

if TYPE_CHECKING:
    from wiretight._standard.system import PlainSocket
    from wiretight._tls.context import SSLContext

# As asyncio has them for TLS; its modules name them since Python 3.11.
HANDSHAKE_TIMEOUT = 60.0
SHUTDOWN_TIMEOUT = 30.0

_AGREED = ("ssl_object", "peercert", "cipher", "compression")  # get_extra_info() has them after the handshake


class AsyncioSSLTransport(transports._FlowControlMixin, AsyncioTransport):
    """What a transport of ours says it is. It cannot be a subclass: the native half has another layout."""


class SSLTransport(Ending):
    """TLS over a socket, as an asyncio transport: the loop's, no memory BIOs, and no buffers while it is idle.

    The end of the stream without close_notify is an error, SSLEOFError, never an end of file. write_eof() ends our
    direction only, and a protocol whose eof_received() returns true can go on writing. With `like_asyncio` these are as
    in asyncio's TLS: such an end is an end of file, and the end of one direction is that of both. In either case, what
    the peer sends after close() is forgotten instead of ending in an error.

    Programs look for "SSL" in the name of the type, which asyncio's and uvloop's have. Since 0.1.
    Source: `asyncio.Transport`; RFC 8446, section 6.1.
    """

    # With a __dict__ too, because programs put attributes of their own onto asyncio's.
    __slots__ = ("__dict__", "_agreed", "_extra", "_handshake_timeout", "_lost_writes")

    _agreed: dict[str, Any]
    _extra: dict[str, Any]
    _handshake_timeout: float
    _lost_writes: int

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
        descriptors_of(loop).refuse_used(sock)
        self._prepare(handshake_timeout, shutdown_timeout, like_asyncio)
        self._ssl_object = connection_over(sock, context, server_side, server_hostname)
        self._flow_over(loop, sock)
        self._extra = addresses(sock, extra)
        self._join(server)
        self._start(protocol, waiter, edge_triggered=self._descriptors.edge_triggered)

    def _prepare(self, handshake_timeout: float | None, shutdown_timeout: float | None, like_asyncio: bool) -> None:
        """What needs no connection: raises ValueError for a timeout that is none."""
        self._state = State.NEW
        self._is_over = True
        self._timer = None
        self._handshake_timeout = positive(handshake_timeout, HANDSHAKE_TIMEOUT, "ssl_handshake_timeout")
        self._shutdown_timeout = positive(shutdown_timeout, SHUTDOWN_TIMEOUT, "ssl_shutdown_timeout")
        self._like_asyncio = like_asyncio
        self._announces = True
        self._paused = self._eof_written = self._peer_ended = self._reads_again = False
        self._lost_writes = 0
        self._agreed = {}

    def _start(self, protocol: BaseProtocol, waiter: Future[None] | None, *, edge_triggered: bool) -> None:
        """Begins to shake hands."""
        self._waiter = waiter
        self._bind(self._ssl_object._sslobj, edge_triggered)
        self.set_protocol(protocol)
        self._enter(State.HANDSHAKING)
        self._is_over = False
        self._guarded(self._begin_to_shake_hands)

    def _begin_to_shake_hands(self) -> None:
        self._timer = self._loop.call_later(self._handshake_timeout, self._guarded, self._handshake_timed_out)
        self._watch_reading()
        self._progress()

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return AsyncioSSLTransport

    def __repr__(self) -> str:
        number = self._sock.fileno() if self._sock is not None else -1
        return f"<wiretight.asyncio.Transport fd={number} {self._state.value}>"

    def __del__(self) -> None:
        if getattr(self, "_sock", None) is not None:
            close_forgotten("transport ", self, self._let_go)

    # --- What it is ---------------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As asyncio's: "peername", "sockname", "socket", "sslcontext", and after the handshake "ssl_object",
        "peercert", "cipher" and "compression", which stay however the connection ends. Since 0.1.
        """
        if name == "sslcontext":
            return self._ssl_object.context
        if name == "peercert" and self._ssl_object.version() is not None:
            return self._ssl_object.getpeercert()  # perhaps the handshake asked for none, and the server did later
        if name in _AGREED:
            return self._agreed.get(name, default)
        if name == "socket" and name not in self._extra and self._sock is not None:
            self._extra[name] = TransportSocket(self._sock)
        return self._extra.get(name, default)

    @property
    def _sslcontext(self) -> SSLContext:
        """Where aiohttp's tests look for it; get_extra_info() is the way."""
        context: SSLContext = self._ssl_object.context
        return context

    def set_protocol(self, protocol: BaseProtocol) -> None:
        """Has another protocol get what comes from now on. Since 0.1."""
        self._set_protocol(protocol, isinstance(protocol, BufferedProtocol))

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
        if status not in (STATUS_DONE, STATUS_WANT_READ, STATUS_WANT_WRITE):
            self._refuse(self._failure())
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
        self._agreed = {
            "ssl_object": ssl_object,
            "peercert": ssl_object.getpeercert(),
            "cipher": ssl_object.cipher(),
            "compression": ssl_object.compression(),
        }
        self._enter(State.OPEN)
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
        if self._state is State.OPEN and self._has_output():
            self._watch_writing(self._write_ready)
        if self._state is State.OPEN and self._has_more():
            self._read_later()

    def _refuse(self, error: BaseException) -> None:
        if isinstance(error, SSLEOFError):
            error = ConnectionResetError("the peer closed the connection during the TLS handshake")
        certificate = " on verifying the certificate" if isinstance(error, CertificateError) else ""
        self._fail(error, f"SSL handshake failed{certificate}")

    def _handshake_timed_out(self) -> None:
        self._fail(
            ConnectionAbortedError(
                f"SSL handshake is taking longer than {self._handshake_timeout} seconds: aborting the connection"
            )
        )

    # --- Reading ------------------------------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        """Whether the protocol gets what comes. Since 0.1."""
        return not self._paused and not self.is_closing()

    def pause_reading(self) -> None:
        """Has the protocol get nothing until resume_reading(); the peer will have to wait. Since 0.1."""
        if not self.is_reading():
            return
        self._paused = True
        self._update_flow()
        if self._state is State.OPEN:
            self._unwatch_reading()

    def resume_reading(self) -> None:
        """The end of pause_reading(). Since 0.1."""
        if not self._paused or self.is_closing():
            return
        self._guarded(self._resume)

    def _resume(self) -> None:
        self._paused = False
        self._update_flow()
        if self._state is State.OPEN and not self._peer_ended:
            self._go_on_reading()

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
        self._update_flow()
        self._end_output()

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
        if self._state not in LIVE:  # the protocol was told to go on, and gave up
            return
        if not self._peer_ended and not (self._paused and self._state is State.OPEN):
            self._go_on_reading()
        if self._has_output():  # the protocol was told to go on, and did
            return
        if self._state is State.FLUSHING or (self._eof_written and self._state is State.OPEN):
            self._send_close_notify()
        elif self._state is State.CLOSING and self._peer_ended:
            self._end(None)

    def _write_failed(self) -> None:
        failure = self._failure()
        if self._peer_ended and (self._like_asyncio or self._state is State.CLOSING):
            self._end(None)  # the peer has said that it leaves, and has left
            return
        self._fail(failure, "Fatal write error on socket transport")


def positive(timeout: float | None, default: float, name: str) -> float:
    """A timeout that asyncio would take. Raises ValueError for another. Since 0.1."""
    if timeout is None:
        return default
    if timeout <= 0:
        raise ValueError(f"{name} should be a positive number, got {timeout}")
    return timeout
