from typing import Any

from wiretight._core.context.context import Context
from wiretight._core.drivers.sslsocket import _SSLSocket
from wiretight._core.session.session import SSLSession

class Tunnel: ...

def begin_carrying(carrier: _SSLSocket) -> None: ...
def end_carrying(carrier: _SSLSocket) -> None: ...
def connection_inside(
    carrier: _SSLSocket,
    context: Context,
    sock: Any,
    server_side: bool,
    hostname: str | None,
    owner: object,
    session: SSLSession | None,
) -> _SSLSocket: ...
def leave_carrier(connection: _SSLSocket) -> _SSLSocket: ...
def abandon(carrier: _SSLSocket) -> None: ...
