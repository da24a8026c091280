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
from wiretight._asyncio.takeover import PausedProtocol, can_drive, take_socket
from wiretight._asyncio.transport import HANDSHAKE_TIMEOUT, SHUTDOWN_TIMEOUT, SSLTransport, positive
from wiretight._standard.system import PlainSocket
from wiretight._tls.context import SSLContext
from wiretight._tls.socket import SSLSocket


@dataclass(frozen=True)
class NativeTLS:
    """TLS by the native transport: the `ssl` argument of a loop's function, which passes it to _make_ssl_transport."""

    context: SSLContext
    handshake_timeout: float | None = None
    shutdown_timeout: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for an invalid timeout, before a connection exists that would be lost."""
        positive(self.handshake_timeout, HANDSHAKE_TIMEOUT, "ssl_handshake_timeout")
        positive(self.shutdown_timeout, SHUTDOWN_TIMEOUT, "ssl_shutdown_timeout")

    def transport(self, loop: AbstractEventLoop, sock: PlainSocket, protocol: Any, **options: Any) -> SSLTransport:
        """The transport of one connection; it closes the socket if there cannot be one.

        Raises RuntimeError, and leaves the socket open, if it belongs to another transport. Since 0.1.
        """
        descriptors_of(loop).check_unused(sock)
        try:
            return SSLTransport(
                loop, sock, protocol, self.context, handshake_timeout=self.handshake_timeout,
                shutdown_timeout=self.shutdown_timeout, **options,
            )  # fmt: skip
        except BaseException:
            sock.close()
            raise

    def transport_over(
        self,
        loop: AbstractEventLoop,
        plain: Any,
        protocol: Any,
        waiter: Future[None] | None = None,
        *,
        early: bytes = b"",
        **options: Any,
    ) -> SSLTransport:
        """The same for a connection whose loop, not asyncio's, has created a plain transport, which is aborted.

        If that has read the `early` bytes, or no descriptor is left for a duplicate, it is a layer over the plain
        transport. Since 0.1.
        """
        try:
            sock = None if early else _duplicate(plain)
            if sock is None:
                layered = LayeredSSLTransport(
                    loop, plain, self.context, handshake_timeout=self.handshake_timeout,
                    shutdown_timeout=self.shutdown_timeout, **options,
                )  # fmt: skip
                layered.begin(protocol, waiter, call_connection_made=True, early=early)
                return layered
        except BaseException:
            plain.abort()
            raise
        return self.transport(loop, sock, protocol, waiter=waiter, **options)

    def for_loop(self) -> dict[str, Any]:
        """The equivalent arguments for asyncio's own TLS, or uvloop's. Since 0.1."""
        options = {"ssl": self.context, "ssl_handshake_timeout": self.handshake_timeout}
        return options if version_info < (3, 11) else {**options, "ssl_shutdown_timeout": self.shutdown_timeout}


def _duplicate(plain: Any) -> PlainSocket | None:
    """The socket of a plain transport, which is aborted; None if no descriptor is left."""
    try:
        return take_socket(plain)
    except OSError as error:
        if error.errno not in (EMFILE, ENFILE):
            raise
        return None


def accepts_native_tls(loop: AbstractEventLoop) -> bool:
    """Whether `loop` creates TLS transports in a method of its own, as asyncio's do; extends that to NativeTLS.

    The method is replaced on this one loop, and treats everything else as before. It is marked because looking it up
    in the loop's vars() would slow down every attribute of the loop (CPython keeps no dictionary until then).
    Since 0.1.
    """
    if not isinstance(loop, BaseSelectorEventLoop):
        return False
    before = loop._make_ssl_transport  # type: ignore[attr-defined]
    if not hasattr(before, "accepts_native_tls"):

        def make_ssl_transport(rawsock: Any, protocol: Any, sslcontext: Any, waiter: Any = None, **options: Any) -> Any:
            if not isinstance(sslcontext, NativeTLS):
                return before(rawsock, protocol, sslcontext, waiter, **options)
            kept = {
                name: options[name] for name in ("server_side", "server_hostname", "extra", "server") if name in options
            }
            return sslcontext.transport(loop, rawsock, protocol, waiter=waiter, **kept)

        make_ssl_transport.accepts_native_tls = True  # type: ignore[attr-defined]
        loop._make_ssl_transport = make_ssl_transport  # type: ignore[attr-defined]
    return True


async def connect(
    loop: AbstractEventLoop,
    method: str,
    tls: NativeTLS,
    protocol_factory: Callable[[], Any],
    server_hostname: str | None,
    arguments: dict[str, Any],
) -> tuple[Any, Any]:
    """`loop.create_connection` or `loop.create_unix_connection`, with TLS. Since 0.1."""
    result: tuple[Any, Any]
    if not can_drive(tls.context):
        arguments = {**arguments, **tls.for_loop()}
        result = await getattr(loop, method)(protocol_factory, server_hostname=server_hostname, **arguments)
        return result
    if isinstance(arguments.get("sock"), PlainSocket):
        descriptors_of(loop).check_unused(arguments["sock"])  # asyncio may close what it cannot use
    if accepts_native_tls(loop):
        result = await getattr(loop, method)(protocol_factory, ssl=tls, server_hostname=server_hostname, **arguments)
        return result
    if server_hostname is None:
        server_hostname = arguments.get("host")
        if not server_hostname:
            raise ValueError("You must set server_hostname when using ssl without a host")
    if arguments.get("sock") is None:
        plain, paused = await getattr(loop, method)(PausedProtocol, **arguments)
        return await _open(
            tls.transport_over, loop, plain, protocol_factory, server_hostname=server_hostname, early=paused.early
        )
    sock = _checked_socket(method, **arguments)
    return await over_socket(loop, tls, protocol_factory, sock, server_side=False, server_hostname=server_hostname)


def _checked_socket(method: str, *, sock: Any, **others: Any) -> PlainSocket:
    """`sock`, which the loop's own method does not get to see: after what asyncio's method looks at, and in its words.

    Raises TypeError or ValueError, and leaves the socket alone.
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
    loop: AbstractEventLoop, tls: NativeTLS, protocol_factory: Callable[[], Any], sock: PlainSocket, **options: Any
) -> tuple[Any, Any]:
    """TLS over a connected socket, which the transport owns from now on. Since 0.1."""
    sock.setblocking(False)
    return await _open(tls.transport, loop, sock, protocol_factory, **options)


async def _open(
    make: Callable[..., SSLTransport], loop: AbstractEventLoop, below: Any, factory: Callable[[], Any], **options: Any
) -> tuple[Any, Any]:
    """(transport, protocol) after the handshake; `make` creates the transport from a socket or another transport."""
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
        # The future's exception must not refer to them through its traceback (CPython issue 159049).
        del waiter, transport, below
        raise
    return transport, protocol


async def accept(
    loop: AbstractEventLoop, tls: NativeTLS, protocol_factory: Callable[[], Any], sock: PlainSocket
) -> tuple[Any, Any]:
    """`loop.connect_accepted_socket`, with TLS. Since 0.1."""
    if not can_drive(tls.context):
        protocol = protocol_factory()  # because uvloop returns another one
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, **tls.for_loop())
        return transport, protocol
    sock = _checked_socket("connect_accepted_socket", sock=sock)
    descriptors_of(loop).check_unused(sock)  # asyncio may close what it cannot use
    if accepts_native_tls(loop):
        understood: Any = tls
        return await loop.connect_accepted_socket(protocol_factory, sock, ssl=understood)
    return await over_socket(loop, tls, protocol_factory, sock, server_side=True)


class AcceptingProtocol(PausedProtocol):
    """The protocol of a server's plain connections, which turns each into one with a native transport."""

    def __init__(self, loop: AbstractEventLoop, tls: NativeTLS, protocol_factory: Callable[[], Any]) -> None:
        self.loop = loop
        self.tls = tls
        self.protocol_factory = protocol_factory

    def connection_made(self, transport: Any) -> None:
        """Creates the native transport. Since 0.1."""
        super().connection_made(transport)
        try:
            protocol = self.protocol_factory()
        except BaseException:
            transport.abort()
            raise
        try:
            self.tls.transport_over(self.loop, transport, protocol, server_side=True)
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
    tls: NativeTLS,
    protocol_factory: Callable[[], Any],
    arguments: dict[str, Any],
) -> Any:
    """`loop.create_server` or `loop.create_unix_server`, with TLS. Since 0.1."""
    make: Callable[..., Awaitable[Any]] = getattr(loop, method)
    if not can_drive(tls.context):
        return await make(protocol_factory, **tls.for_loop(), **arguments)
    if accepts_native_tls(loop):
        return await make(protocol_factory, ssl=tls, **arguments)
    return await make(lambda: AcceptingProtocol(loop, tls, protocol_factory), **arguments)
