"""Takeover: which contexts a native transport supports, and its socket, which may come from a plain transport."""

from __future__ import annotations

from asyncio import Protocol
from os import close, dup
from typing import Any

from wiretight._standard.system import PlainSocket
from wiretight._tls.context import OWN_WRAP_BIO, SSLContext
from wiretight._tls.object import OWN_CREATE, OWN_STEPS, SSLObject

# The loops' own transports over a stream socket, which read only from the kernel.
_PLAIN = {
    ("asyncio.selector_events", "_SelectorSocketTransport"),
    ("uvloop.loop", "TCPTransport"),
    ("uvloop.loop", "UnixTransport"),
}


def is_ours(context: object) -> bool:
    """Whether it is a context of wiretight; isinstance() would accept the standard library's too. Since 0.1."""
    return SSLContext in type(context).__mro__


def can_drive(context: object) -> bool:
    """Whether a connection of `context` may be driven without its wrap_bio().

    False if a subclass overrides that, like truststore's, which verifies there, or creates objects with their own
    handshake or data transfer; and if the program has patched these in our classes. Since 0.1.
    """
    if not is_ours(context):
        return False
    ours: Any = context
    kind: Any = ours.sslobject_class
    return (
        getattr(ours.wrap_bio, "__func__", None) is OWN_WRAP_BIO
        and SSLObject in kind.__mro__
        and getattr(kind._create, "__func__", None) is OWN_CREATE
        and all(getattr(kind, name) is function for name, function in OWN_STEPS.items())
    )


def is_plain(transport: Any) -> bool:
    """Whether `transport` is one of the loop's, over a stream socket, without TLS. Since 0.1."""
    kind = type(transport)
    if (kind.__module__, kind.__qualname__) not in _PLAIN or transport.is_closing():
        return False
    return transport.get_extra_info("socket") is not None and transport.get_extra_info("sslcontext") is None


class PausedProtocol(Protocol):
    """The protocol of a plain transport whose socket is to be taken over: it leaves the data to the next transport.

    uvloop reads all the same until it is told again, where the peer speaks first: `early` is what it has read.
    """

    early: bytes = b""
    _transport: Any

    def connection_made(self, transport: Any) -> None:
        """Pauses reading. Since 0.1."""
        self._transport = transport
        transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Keeps it, and pauses reading again. Since 0.1."""
        self.early += data
        self._transport.pause_reading()

    def eof_received(self) -> bool:
        """True: who takes the socket over meets the end, too. Since 0.1."""
        return True


def take_socket(transport: Any) -> PlainSocket:
    """The socket of a plain transport whose buffer is empty; the transport is gone afterwards.

    It has a duplicate of the descriptor, because the loop closes its own. Raises OSError, and changes nothing, if that
    fails. Since 0.1.
    """
    sock = transport.get_extra_info("socket")
    descriptor = dup(sock.fileno())
    try:
        taken = PlainSocket(sock.family, sock.type, sock.proto, descriptor)
    except BaseException:
        close(descriptor)
        raise
    taken.setblocking(False)
    transport.abort()
    return taken


def connection_over(sock: PlainSocket, context: SSLContext, server_side: bool, hostname: str | None) -> SSLObject:
    """An SSLObject, as callbacks and get_extra_info() give it, of a connection over the descriptor of `sock`.

    Raises what wrap_bio() does. Since 0.1.
    """
    hostname = hostname if hostname and not server_side else None
    context._check_parameters(server_side, hostname, None)
    kind = context.sslobject_class
    ssl_object = kind.__new__(kind)
    ssl_object._sslobj = context._wrap_socket(sock, server_side, context._encode_hostname(hostname), owner=ssl_object)
    return ssl_object


def addresses(sock: PlainSocket, extra: dict[str, Any] | None) -> dict[str, Any]:
    """`extra` and the addresses of both ends, which a closed socket cannot tell any more. Since 0.1."""
    known: dict[str, Any] = dict(extra or ())
    for name, method in (("sockname", sock.getsockname), ("peername", sock.getpeername)):
        if name not in known:
            try:
                known[name] = method()
            except OSError:
                known[name] = None
    return known
