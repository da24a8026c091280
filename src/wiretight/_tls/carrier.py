"""The carrier: a socket whose TLS connection carries another one inside it (TLS in TLS), and what becomes of it.

The new socket takes its descriptor over, and its connection stays with it: it can still be queried, and unwrap() of the
new socket brings it back to life.
"""

from __future__ import annotations

from wiretight._core.drivers.sslsocket import _SSLSocket
from wiretight._core.drivers.tunnel import begin_carrying, end_carrying, leave_carrier
from wiretight._standard.system import PlainSocket
from wiretight._standard.typing import Any


def carrier_in(sock: Any, own_class: type) -> _SSLSocket | None:
    """The TLS connection of `sock`, or None if it has none and is to be used as a plain socket.

    Raises NotImplementedError if it is not one of ours: whoever took its descriptor would drop its TLS. Since 0.1.
    """
    connection = getattr(sock, "_sslobj", None)
    if connection is None or (isinstance(connection, _SSLSocket) and isinstance(sock, own_class)):
        return connection
    kind = f"{type(sock).__module__}.{type(sock).__qualname__}"
    raise NotImplementedError(f"{kind} cannot carry TLS inside its own: create it with a wiretight.SSLContext, too")


def enter(carrier: _SSLSocket, sock: Any, inside: Any) -> None:
    """Moves the descriptor from `sock`, whose connection carries that of `inside` from now on.

    Raises ValueError or OSError if it cannot, and then nothing has changed. Since 0.1.
    """
    try:
        begin_carrying(carrier)
    except BaseException:
        PlainSocket.detach(inside)
        raise
    inside._carrier = sock
    PlainSocket.detach(sock)


def leave(sslobj: _SSLSocket, inside: Any, sock: Any) -> None:
    """Moves the descriptor back to `sock`, with the timeout of `inside`. Since 0.1."""
    carrier = leave_carrier(sslobj)
    timeout = inside.gettimeout()
    descriptor = PlainSocket.detach(inside)
    inside._sslobj = None
    sock._sslobj = carrier  # before it has the descriptor, or another thread could send plaintext
    PlainSocket.__init__(sock, inside.family, inside.type, inside.proto, descriptor)
    sock.settimeout(timeout)
    end_carrying(carrier)
