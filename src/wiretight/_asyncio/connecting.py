"""Connections and servers: the event loop's own functions, with the native transport."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from wiretight._asyncio.taking import Departing, can_drive, take_socket
from wiretight._asyncio.transport import Transport
from wiretight._context import SSLContext


@dataclass(frozen=True)
class Wanted:
    """What a loop's function gets for its `ssl` and hands on to _make_ssl_transport: TLS by the native transport."""

    context: SSLContext
    handshake_timeout: float | None = None
    shutdown_timeout: float | None = None

    def transport(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, protocol: Any, **options: Any
    ) -> Transport:
        """The transport of one connection; it closes the socket if there cannot be one. Since 0.1."""
        try:
            return Transport(
                loop, sock, protocol, self.context, handshake_timeout=self.handshake_timeout,
                shutdown_timeout=self.shutdown_timeout, **options,
            )  # fmt: skip
        except BaseException:
            sock.close()
            raise

    def for_loop(self) -> dict[str, Any]:
        """The same for asyncio's own TLS, or uvloop's. Since 0.1."""
        options = {"ssl": self.context, "ssl_handshake_timeout": self.handshake_timeout}
        return options if sys.version_info < (3, 11) else {**options, "ssl_shutdown_timeout": self.shutdown_timeout}


def makes_transports(loop: asyncio.AbstractEventLoop) -> bool:
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
    loop: asyncio.AbstractEventLoop,
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
        plain, _ = await getattr(loop, method)(lambda: Departing(loop), **arguments)
        sock = take_socket(plain)
    else:
        sock = arguments["sock"]
    return await over_socket(loop, wanted, protocol_factory, sock, server_side=False, server_hostname=server_hostname)


async def over_socket(
    loop: asyncio.AbstractEventLoop,
    wanted: Wanted,
    protocol_factory: Callable[[], Any],
    sock: socket.socket,
    **options: Any,
) -> tuple[Any, Any]:
    """TLS over a connected socket, which is the transport's from here on. Since 0.1."""
    sock.setblocking(False)
    waiter = loop.create_future()
    protocol = protocol_factory()
    transport = wanted.transport(loop, sock, protocol, waiter=waiter, **options)
    try:
        await waiter
    except BaseException:
        transport.close()
        # The traceback of the exception, which the future has, must not lead back to them (CPython issue 159049).
        del waiter, transport
        raise
    return transport, protocol


async def accept(
    loop: asyncio.AbstractEventLoop, wanted: Wanted, protocol_factory: Callable[[], Any], sock: socket.socket
) -> tuple[Any, Any]:
    """What `loop.connect_accepted_socket` returns, with TLS. Since 0.1."""
    if not can_drive(wanted.context):
        return await loop.connect_accepted_socket(protocol_factory, sock, **wanted.for_loop())
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")
    return await over_socket(loop, wanted, protocol_factory, sock, server_side=True)


class Arriving(Departing):
    """The protocol of a plain connection that a server has accepted: it gives the socket to the native transport."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wanted: Wanted, protocol_factory: Callable[[], Any]) -> None:
        super().__init__(loop)
        self.loop = loop
        self.wanted = wanted
        self.protocol_factory = protocol_factory

    def connection_made(self, transport: Any) -> None:
        """Takes the socket over. Since 0.1."""
        transport.pause_reading()
        try:
            self.wanted.transport(self.loop, take_socket(transport), self.protocol_factory(), server_side=True)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self.loop.get_debug():
                self.loop.call_exception_handler(
                    {"message": "Error on transport creation for incoming connection", "exception": error}
                )


async def serve(
    loop: asyncio.AbstractEventLoop,
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
