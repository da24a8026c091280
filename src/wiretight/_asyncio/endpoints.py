"""Connections and servers: the event loop's own functions, with the native transport."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, SelectorEventLoop
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from errno import EMFILE, ENFILE
from inspect import signature
from socket import AF_UNIX, SOCK_STREAM
from sys import version_info
from typing import Any

from wiretight._asyncio.descriptors import descriptors_of
from wiretight._asyncio.layered import LayeredSSLTransport
from wiretight._asyncio.takeover import Departing, can_drive, take_socket
from wiretight._asyncio.transport import HANDSHAKE_TIMEOUT, SHUTDOWN_TIMEOUT, SSLTransport, positive
from wiretight._standard.system import PlainSocket
from wiretight._tls.context import SSLContext
from wiretight._tls.socket import SSLSocket


@dataclass(frozen=True)
class Wanted:
    """What a loop's function gets for its `ssl` and hands on to _make_ssl_transport: TLS by the native transport."""

    context: SSLContext
    handshake_timeout: float | None = None
    shutdown_timeout: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a timeout that is none, before there is a connection that it would cost."""
        positive(self.handshake_timeout, HANDSHAKE_TIMEOUT, "ssl_handshake_timeout")
        positive(self.shutdown_timeout, SHUTDOWN_TIMEOUT, "ssl_shutdown_timeout")

    def transport(self, loop: AbstractEventLoop, sock: PlainSocket, protocol: Any, **options: Any) -> SSLTransport:
        """The transport of one connection; it closes the socket if there cannot be one.

        Raises RuntimeError if the socket is another transport's, and leaves it to that. Since 0.1.
        """
        descriptors_of(loop).refuse_used(sock)
        try:
            return SSLTransport(
                loop, sock, protocol, self.context, handshake_timeout=self.handshake_timeout,
                shutdown_timeout=self.shutdown_timeout, **options,
            )  # fmt: skip
        except BaseException:
            sock.close()
            raise

    def transport_over(
        self, loop: AbstractEventLoop, plain: Any, protocol: Any, waiter: Future[None] | None = None, **options: Any
    ) -> SSLTransport:
        """The same of a connection for which the loop, not asyncio's, has made a plain transport; it aborts that.

        Where there is no descriptor left for a copy of its own, it is a layer over the plain one. Since 0.1.
        """
        try:
            try:
                sock = take_socket(plain)
            except OSError as error:
                if error.errno not in (EMFILE, ENFILE):
                    raise
                layered = LayeredSSLTransport(
                    loop, plain, self.context, handshake_timeout=self.handshake_timeout,
                    shutdown_timeout=self.shutdown_timeout, **options,
                )  # fmt: skip
                layered.begin(protocol, waiter, announces=True)
                return layered
        except BaseException:
            plain.abort()
            raise
        return self.transport(loop, sock, protocol, waiter=waiter, **options)

    def for_loop(self) -> dict[str, Any]:
        """The same for asyncio's own TLS, or uvloop's. Since 0.1."""
        options = {"ssl": self.context, "ssl_handshake_timeout": self.handshake_timeout}
        return options if version_info < (3, 11) else {**options, "ssl_shutdown_timeout": self.shutdown_timeout}


def makes_transports(loop: AbstractEventLoop) -> bool:
    """Whether `loop` asks a method of its own for TLS transports, as asyncio's do; and has it understand Wanted.

    The method is replaced on this one loop, and goes on serving everything else as before. It is marked, because a
    look into the loop's vars() would slow down every attribute of the loop (CPython keeps no dictionary until then).
    Since 0.1.
    """
    if not isinstance(loop, BaseSelectorEventLoop):
        return False
    before = loop._make_ssl_transport  # type: ignore[attr-defined]
    if not hasattr(before, "takes_wanted"):

        def make_ssl_transport(rawsock: Any, protocol: Any, sslcontext: Any, waiter: Any = None, **options: Any) -> Any:
            if not isinstance(sslcontext, Wanted):
                return before(rawsock, protocol, sslcontext, waiter, **options)
            kept = {
                name: options[name] for name in ("server_side", "server_hostname", "extra", "server") if name in options
            }
            return sslcontext.transport(loop, rawsock, protocol, waiter=waiter, **kept)

        make_ssl_transport.takes_wanted = True  # type: ignore[attr-defined]
        loop._make_ssl_transport = make_ssl_transport  # type: ignore[attr-defined]
    return True


async def connect(
    loop: AbstractEventLoop,
    method: str,
    wanted: Wanted,
    protocol_factory: Callable[[], Any],
    server_hostname: str | None,
    arguments: dict[str, Any],
) -> tuple[Any, Any]:
    """What `loop.create_connection` or `loop.create_unix_connection` returns, with TLS. Since 0.1."""
    made: tuple[Any, Any]
    if not can_drive(wanted.context):
        arguments = {**arguments, **wanted.for_loop()}
        made = await getattr(loop, method)(protocol_factory, server_hostname=server_hostname, **arguments)
        return made
    if makes_transports(loop):
        made = await getattr(loop, method)(protocol_factory, ssl=wanted, server_hostname=server_hostname, **arguments)
        return made
    if server_hostname is None:
        server_hostname = arguments.get("host")
        if not server_hostname:
            raise ValueError("You must set server_hostname when using ssl without a host")
    if arguments.get("sock") is None:
        plain, _ = await getattr(loop, method)(Departing, **arguments)
        return await _shaken(wanted.transport_over, loop, plain, protocol_factory, server_hostname=server_hostname)
    sock = _suitable(method, **arguments)
    return await over_socket(loop, wanted, protocol_factory, sock, server_side=False, server_hostname=server_hostname)


def _suitable(method: str, *, sock: Any, **others: Any) -> PlainSocket:
    """`sock`, which the loop's own method does not get to see: after what asyncio's method looks at, and in its words.

    Raises TypeError or ValueError, and has done nothing to the socket.
    """
    signature(getattr(SelectorEventLoop, method)).bind(None, None, sock=sock, **others)
    if isinstance(sock, SSLSocket):
        raise TypeError("Socket cannot be of type SSLSocket")
    place = ("host", "port") if method == "create_connection" else ("path",)
    if any(others.get(name) is not None for name in place):
        raise ValueError(f"{'/'.join(place)} and sock can not be specified at the same time")
    is_unix = method == "create_unix_connection"
    if sock.type != SOCK_STREAM or (is_unix and sock.family != AF_UNIX):
        raise ValueError(f"A {'UNIX Domain ' * is_unix}Stream Socket was expected, got {sock!r}")
    made: PlainSocket = sock
    return made


async def over_socket(
    loop: AbstractEventLoop, wanted: Wanted, protocol_factory: Callable[[], Any], sock: PlainSocket, **options: Any
) -> tuple[Any, Any]:
    """TLS over a connected socket, which is the transport's from here on. Since 0.1."""
    sock.setblocking(False)
    return await _shaken(wanted.transport, loop, sock, protocol_factory, **options)


async def _shaken(
    make: Callable[..., SSLTransport], loop: AbstractEventLoop, below: Any, factory: Callable[[], Any], **options: Any
) -> tuple[Any, Any]:
    """(transport, protocol), when they have shaken hands: what `make` makes of a socket or a transport."""
    waiter = loop.create_future()
    try:
        protocol = factory()
    except BaseException:
        if hasattr(below, "abort"):  # a program's own socket stays the program's
            below.abort()
        raise
    transport = make(loop, below, protocol, waiter=waiter, **options)
    try:
        await waiter
    except BaseException:
        transport.close()
        # The traceback of the exception, which the future has, must not lead back to them (CPython issue 159049).
        del waiter, transport, below
        raise
    return transport, protocol


async def accept(
    loop: AbstractEventLoop, wanted: Wanted, protocol_factory: Callable[[], Any], sock: PlainSocket
) -> tuple[Any, Any]:
    """What `loop.connect_accepted_socket` returns, with TLS. Since 0.1."""
    if not can_drive(wanted.context):
        protocol = protocol_factory()  # uvloop returns another one
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, **wanted.for_loop())
        return transport, protocol
    sock = _suitable("connect_accepted_socket", sock=sock)
    return await over_socket(loop, wanted, protocol_factory, sock, server_side=True)


class Arriving(Departing):
    """The protocol of a plain connection that a server has accepted: it is the native transport's from then on."""

    def __init__(self, loop: AbstractEventLoop, wanted: Wanted, protocol_factory: Callable[[], Any]) -> None:
        self.loop = loop
        self.wanted = wanted
        self.protocol_factory = protocol_factory

    def connection_made(self, transport: Any) -> None:
        """Makes that transport. Since 0.1."""
        transport.pause_reading()
        try:
            protocol = self.protocol_factory()
        except BaseException:
            transport.abort()
            raise
        try:
            self.wanted.transport_over(self.loop, transport, protocol, server_side=True)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self.loop.get_debug():
                self.loop.call_exception_handler(
                    {"message": "Error on transport creation for incoming connection", "exception": error}
                )


async def serve(
    loop: AbstractEventLoop,
    method: str,
    wanted: Wanted,
    protocol_factory: Callable[[], Any],
    arguments: dict[str, Any],
) -> Any:
    """What `loop.create_server` or `loop.create_unix_server` returns, with TLS. Since 0.1."""
    make: Callable[..., Awaitable[Any]] = getattr(loop, method)
    if not can_drive(wanted.context):
        return await make(protocol_factory, **wanted.for_loop(), **arguments)
    if makes_transports(loop):
        return await make(protocol_factory, ssl=wanted, **arguments)
    return await make(lambda: Arriving(loop, wanted, protocol_factory), **arguments)
