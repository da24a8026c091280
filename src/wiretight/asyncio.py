"""TLS on the event loops of asyncio and uvloop without memory BIOs: faster, and small while idle.

The functions are those of the event loop and of `asyncio`, with the same names and arguments. `ssl` is a
wiretight.SSLContext; docs/asyncio.md lists the differences.
"""

from __future__ import annotations

import asyncio as _asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from wiretight._asyncio.endpoints import NativeTLS, accept, connect, serve
from wiretight._asyncio.start_tls import upgrade
from wiretight._asyncio.takeover import is_ours
from wiretight._asyncio.transport import SSLTransport as Transport
from wiretight._tls.context import SSLContext
from wiretight._tls.defaults import package

if TYPE_CHECKING:
    import socket

__all__ = [
    "Transport",
    "connect_accepted_socket",
    "create_connection",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "open_connection",
    "open_unix_connection",
    "start_server",
    "start_tls",
    "start_unix_server",
]

_LIMIT = 64 * 1024  # of a StreamReader, as in asyncio


async def create_connection(
    protocol_factory: Callable[[], Any],
    host: str | None = None,
    port: int | None = None,
    *,
    ssl: SSLContext | bool = True,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Connects to `host` and `port`, or over the connected `sock`, with TLS: (transport, protocol).

    `ssl` is a wiretight.SSLContext, or True for create_default_context(). `server_hostname` is `host` by default, and
    "" for no name. The timeouts are seconds. Other options are those of loop.create_connection().

    Raises TypeError for another kind of context, SSLCertVerificationError, SSLError or OSError if the connection
    fails, ConnectionAbortedError after `ssl_handshake_timeout`. Since 0.1. Source: `loop.create_connection`.
    """
    tls = NativeTLS(_client_context(ssl, server_hostname), ssl_handshake_timeout, ssl_shutdown_timeout)
    if host is not None or port is not None:
        options.update(host=host, port=port)
    return await connect(
        _asyncio.get_running_loop(), "create_connection", tls, protocol_factory, server_hostname, options
    )


async def create_unix_connection(
    protocol_factory: Callable[[], Any],
    path: Any = None,
    *,
    ssl: SSLContext | bool = True,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    **options: Any,
) -> tuple[Any, Any]:
    """The same over a Unix socket, by its `path` or connected as `sock`. `server_hostname` is required.

    Raises what create_connection() does. Since 0.1. Source: `loop.create_unix_connection`.
    """
    if server_hostname is None:
        raise ValueError("you have to pass server_hostname when using ssl")
    tls = NativeTLS(_client_context(ssl, server_hostname), ssl_handshake_timeout, ssl_shutdown_timeout)
    if path is not None:
        options["path"] = path
    return await connect(
        _asyncio.get_running_loop(), "create_unix_connection", tls, protocol_factory, server_hostname, options
    )


async def create_server(
    protocol_factory: Callable[[], Any],
    host: Any = None,
    port: int | None = None,
    *,
    ssl: SSLContext,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    **options: Any,
) -> _asyncio.AbstractServer:
    """Serves TLS on `host` and `port`, or on the bound `sock`. Other options are those of loop.create_server().

    Raises TypeError for another kind of context, OSError if the address cannot be used. Since 0.1.
    Source: `loop.create_server`.
    """
    tls = NativeTLS(_context(ssl), ssl_handshake_timeout, ssl_shutdown_timeout)
    if host is not None or port is not None:
        options.update(host=host, port=port)
    server: _asyncio.AbstractServer = await serve(
        _asyncio.get_running_loop(), "create_server", tls, protocol_factory, options
    )
    return server


async def create_unix_server(
    protocol_factory: Callable[[], Any],
    path: Any = None,
    *,
    ssl: SSLContext,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    **options: Any,
) -> _asyncio.AbstractServer:
    """The same on a Unix socket, by its `path` or bound as `sock`. Since 0.1. Source: `loop.create_unix_server`."""
    tls = NativeTLS(_context(ssl), ssl_handshake_timeout, ssl_shutdown_timeout)
    if path is not None:
        options["path"] = path
    server: _asyncio.AbstractServer = await serve(
        _asyncio.get_running_loop(), "create_unix_server", tls, protocol_factory, options
    )
    return server


async def connect_accepted_socket(
    protocol_factory: Callable[[], Any],
    sock: socket.socket,
    *,
    ssl: SSLContext,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
) -> tuple[Any, Any]:
    """The server side of TLS over a socket that was accepted elsewhere: (transport, protocol).

    Raises what create_connection() does. Since 0.1. Source: `loop.connect_accepted_socket`.
    """
    tls = NativeTLS(_context(ssl), ssl_handshake_timeout, ssl_shutdown_timeout)
    return await accept(_asyncio.get_running_loop(), tls, protocol_factory, sock)


async def start_tls(
    transport: Any,
    protocol: Any,
    sslcontext: SSLContext,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
) -> Any:
    """Starts TLS on an open connection. Returns the transport that `protocol` uses from then on instead of `transport`.

    Data written before is sent first, unencrypted. Over a TLS transport, it is TLS inside TLS. Raises TypeError for
    another kind of context or transport, and what create_connection() does; the connection is closed then. Since 0.1.
    Source: `loop.start_tls`.
    """
    return await upgrade(
        _asyncio.get_running_loop(),
        transport,
        protocol,
        _context(sslcontext),
        server_side=server_side,
        server_hostname=server_hostname,
        ssl_handshake_timeout=ssl_handshake_timeout,
        ssl_shutdown_timeout=ssl_shutdown_timeout,
    )


# --- Streams ----------------------------------------------------------------------------------------------------------


class _Streams(_asyncio.StreamReaderProtocol):
    """asyncio's, except that the peer's EOF leaves our direction open, as on a plain connection."""

    def eof_received(self) -> bool:
        """Ends the reader; the program closes the writer. Since 0.1."""
        super().eof_received()
        return True


async def open_connection(
    host: str | None = None, port: int | None = None, *, limit: int = _LIMIT, **options: Any
) -> tuple[_asyncio.StreamReader, _asyncio.StreamWriter]:
    """Connects with TLS: (reader, writer). The options are those of create_connection().

    Since 0.1. Source: `asyncio.open_connection`.
    """
    return await _open(create_connection, limit, host, port, **options)


async def open_unix_connection(
    path: Any = None, *, limit: int = _LIMIT, **options: Any
) -> tuple[_asyncio.StreamReader, _asyncio.StreamWriter]:
    """The same over a Unix socket. Since 0.1. Source: `asyncio.open_unix_connection`."""
    return await _open(create_unix_connection, limit, path, **options)


async def start_server(
    client_connected_cb: Callable[[_asyncio.StreamReader, _asyncio.StreamWriter], Awaitable[None] | None],
    host: Any = None,
    port: int | None = None,
    *,
    limit: int = _LIMIT,
    **options: Any,
) -> _asyncio.AbstractServer:
    """Serves TLS: `client_connected_cb` gets a reader and a writer. The options are those of create_server().

    Since 0.1. Source: `asyncio.start_server`.
    """
    return await create_server(_streams_factory(client_connected_cb, limit), host, port, **options)


async def start_unix_server(
    client_connected_cb: Callable[[_asyncio.StreamReader, _asyncio.StreamWriter], Awaitable[None] | None],
    path: Any = None,
    *,
    limit: int = _LIMIT,
    **options: Any,
) -> _asyncio.AbstractServer:
    """The same on a Unix socket. Since 0.1. Source: `asyncio.start_unix_server`."""
    return await create_unix_server(_streams_factory(client_connected_cb, limit), path, **options)


async def _open(
    connector: Callable[..., Awaitable[tuple[Any, Any]]], limit: int, *address: Any, **options: Any
) -> tuple[_asyncio.StreamReader, _asyncio.StreamWriter]:
    loop = _asyncio.get_running_loop()
    reader = _asyncio.StreamReader(limit=limit, loop=loop)
    protocol = _Streams(reader, loop=loop)
    transport, _ = await connector(lambda: protocol, *address, **options)
    return reader, _asyncio.StreamWriter(transport, protocol, reader, loop)


def _streams_factory(client_connected_cb: Any, limit: int) -> Callable[[], _Streams]:
    loop = _asyncio.get_running_loop()
    return lambda: _Streams(_asyncio.StreamReader(limit=limit, loop=loop), client_connected_cb, loop=loop)


# --- Contexts ---------------------------------------------------------------------------------------------------------


def _context(ssl: Any) -> SSLContext:
    if not is_ours(ssl):
        kind = f"{type(ssl).__module__}.{type(ssl).__qualname__}"
        raise TypeError(f"ssl must be a wiretight.SSLContext, not {kind}; others are for asyncio's own functions")
    return ssl  # type: ignore[no-any-return]


def _client_context(ssl: Any, server_hostname: str | None) -> SSLContext:
    if ssl is not True:
        return _context(ssl)
    context: SSLContext = package().create_default_context()
    if server_hostname == "":
        context.check_hostname = False
    return context
