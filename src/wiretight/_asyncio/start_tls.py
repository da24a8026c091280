"""start_tls(): TLS on an open connection."""

from __future__ import annotations

from asyncio import AbstractEventLoop, BaseEventLoop, StreamReaderProtocol
from sys import version_info
from typing import Any

from wiretight._asyncio.layered import LayeredSSLTransport
from wiretight._asyncio.takeover import can_drive, is_plain

_start_tls = BaseEventLoop.start_tls


async def upgrade(
    loop: AbstractEventLoop,
    transport: Any,
    protocol: Any,
    context: Any,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    like_asyncio: bool = False,
    fallback: Any = _start_tls,
) -> Any:
    """TLS over `transport`: its protocol uses the returned one from then on, or learns that the connection is lost.

    Over anything but a loop's own plain transport, such as TLS, and for contexts with a wrap_bio() of their own, this
    is asyncio's. Since 0.1.
    """
    if not (can_drive(context) and is_plain(transport)):
        options: dict[str, Any] = {"ssl_shutdown_timeout": ssl_shutdown_timeout} if version_info >= (3, 11) else {}
        if not isinstance(loop, BaseEventLoop) and is_plain(transport):
            fallback = type(loop).start_tls  # asyncio's does not support the transports of another loop
        return await fallback(
            loop,
            transport,
            protocol,
            context,
            server_side=server_side,
            server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            **options,
        )
    upgraded = LayeredSSLTransport(
        loop, transport, context, server_side=server_side, server_hostname=server_hostname,
        handshake_timeout=ssl_handshake_timeout, shutdown_timeout=ssl_shutdown_timeout, like_asyncio=like_asyncio,
    )  # fmt: skip
    waiter = loop.create_future()
    early = _early_bytes(protocol) if server_side else b""
    upgraded.begin(protocol, waiter, call_connection_made=False, early=early)
    try:
        await waiter
    except BaseException:
        upgraded.close()
        # The future's exception must not refer to them through its traceback (CPython issue 159049).
        del waiter, upgraded, transport
        raise
    return upgraded


def _early_bytes(protocol: Any) -> bytes:
    """The peer's first TLS bytes, if they arrived with the last plain ones and are in a StreamReader (CPython issue
    142352).
    """
    reader = getattr(protocol, "_stream_reader", None) if isinstance(protocol, StreamReaderProtocol) else None
    if reader is None or not reader._buffer:
        return b""
    early = bytes(reader._buffer)
    reader._buffer.clear()
    reader._maybe_resume_transport()
    return early
