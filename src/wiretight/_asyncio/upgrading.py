"""start_tls(): TLS on a connection that is there already."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from wiretight._asyncio.taking import Departing, can_drive, is_plain, take_socket
from wiretight._asyncio.transport import HANDSHAKE_TIMEOUT, Transport


async def upgrade(
    loop: asyncio.AbstractEventLoop,
    transport: Any,
    protocol: Any,
    context: Any,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    like_asyncio: bool = False,
) -> Any:
    """TLS over `transport`, whose protocol goes on with what this returns.

    Over a loop's own plain transport it takes the socket over. Over anything else, such as TLS, and for contexts with
    a wrap_bio() of their own, it is asyncio's, with memory BIOs. Since 0.1.
    """
    if not (can_drive(context) and is_plain(transport)):
        options: dict[str, Any] = {"ssl_shutdown_timeout": ssl_shutdown_timeout} if sys.version_info >= (3, 11) else {}
        return await asyncio.BaseEventLoop.start_tls(
            loop,  # type: ignore[arg-type]
            transport,
            protocol,
            context,
            server_side=server_side,
            server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            **options,
        )
    transport.pause_reading()
    early = _early_bytes(protocol) if server_side else b""
    waiter = loop.create_future()
    try:
        await _written(loop, transport, protocol, ssl_handshake_timeout or HANDSHAKE_TIMEOUT)
        sock = take_socket(transport)
    except BaseException:
        transport.abort()
        raise
    try:
        upgraded = Transport(
            loop, sock, protocol, context, waiter, server_side=server_side, server_hostname=server_hostname,
            handshake_timeout=ssl_handshake_timeout, shutdown_timeout=ssl_shutdown_timeout,
            like_asyncio=like_asyncio, announces=False, early=early,
        )  # fmt: skip
    except BaseException:
        sock.close()
        raise
    upgraded._take_place_of(transport)
    try:
        await waiter
    except BaseException:
        upgraded.close()
        # The traceback of the exception, which the future has, must not lead back to them (CPython issue 159049).
        del waiter, upgraded, transport
        raise
    return upgraded


async def _written(loop: asyncio.AbstractEventLoop, transport: Any, protocol: Any, patience: float) -> None:
    """Waits until what `protocol` has written is in the kernel: TLS follows it."""
    was_paused = getattr(transport, "_protocol_paused", False)
    departing = Departing(loop)
    transport.set_protocol(departing)
    if transport.get_write_buffer_size():
        transport.set_write_buffer_limits(0)
        if transport.get_write_buffer_size():
            await asyncio.wait_for(departing.written, patience)
    if was_paused:
        protocol.resume_writing()


def _early_bytes(protocol: Any) -> bytes:
    """The peer's first TLS bytes, if they came with the last plain ones: a StreamReader has them (CPython issue
    142352).
    """
    reader = getattr(protocol, "_stream_reader", None) if isinstance(protocol, asyncio.StreamReaderProtocol) else None
    if reader is None or not reader._buffer:
        return b""
    early = bytes(reader._buffer)
    reader._buffer.clear()
    return early
