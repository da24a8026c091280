"""What a native transport is made of: which contexts it can serve, and a socket, perhaps of a plain transport."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from wiretight._context import SSLContext
from wiretight._object import SSLObject

# Their plain transports read from nothing but the kernel, and have written all when their buffer is empty.
_LOOPS = ("asyncio.selector_events", "uvloop.loop")

_DRIVEN = ("do_handshake", "read", "write", "unwrap")


def is_ours(context: object) -> bool:
    """Whether it is a context of wiretight; isinstance() would take the standard library's for one. Since 0.1."""
    return SSLContext in type(context).__mro__


def can_drive(context: object) -> bool:
    """Whether a connection of `context` may be driven without its wrap_bio().

    Not where a subclass has its own, as that of truststore, which verifies there; or has it make objects that shake
    hands or move data in their own way. Since 0.1.
    """
    if not is_ours(context):
        return False
    made: Any = context
    kind: Any = made.sslobject_class
    return (
        getattr(made.wrap_bio, "__func__", None) is SSLContext.wrap_bio
        and SSLObject in kind.__mro__
        and kind._create.__func__ is SSLObject._create.__func__  # type: ignore[attr-defined]
        and all(getattr(kind, name) is getattr(SSLObject, name) for name in _DRIVEN)
    )


def is_plain(transport: Any) -> bool:
    """Whether `transport` is a loop's own, over a socket, without TLS. Since 0.1."""
    if not type(transport).__module__.startswith(_LOOPS) or transport.is_closing():
        return False
    return transport.get_extra_info("socket") is not None and transport.get_extra_info("sslcontext") is None


class Departing(asyncio.Protocol):
    """The protocol of a plain transport that gives its socket away."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.written = loop.create_future()

    def connection_made(self, transport: Any) -> None:
        """Nothing is to be read: it is the next transport's. Since 0.1."""
        transport.pause_reading()

    def resume_writing(self) -> None:
        """Everything is written. Since 0.1."""
        if not self.written.done():
            self.written.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Before or after the socket was given away. Since 0.1."""
        if not self.written.done():
            self.written.set_exception(exc or ConnectionResetError("the connection was lost before TLS started"))
            self.written.exception()  # perhaps nobody waits


def take_socket(transport: Any) -> socket.socket:
    """The socket of a plain transport whose buffer is empty; the transport is gone afterwards.

    It is a copy of the descriptor, because the loop closes its own. Since 0.1.
    """
    taken = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    taken.setblocking(False)
    transport.abort()
    return taken


def connection_over(sock: socket.socket, context: SSLContext, server_side: bool, hostname: str | None) -> SSLObject:
    """An SSLObject, as callbacks and get_extra_info() give it, of a connection over the descriptor of `sock`.

    Raises what wrap_bio() raises. Since 0.1.
    """
    hostname = hostname if hostname and not server_side else None
    context._check_parameters(server_side, hostname, None)
    kind = context.sslobject_class
    ssl_object = kind.__new__(kind)
    ssl_object._sslobj = context._wrap_socket(sock, server_side, context._encode_hostname(hostname), owner=ssl_object)
    return ssl_object


def addresses(sock: socket.socket, extra: dict[str, Any] | None) -> dict[str, Any]:
    """`extra` and the addresses of both ends, which a closed socket cannot tell any more. Since 0.1."""
    known: dict[str, Any] = dict(extra or ())
    for name, method in (("sockname", sock.getsockname), ("peername", sock.getpeername)):
        if name not in known:
            try:
                known[name] = method()
            except OSError:
                known[name] = None
    return known
