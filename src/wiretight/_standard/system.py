"""The operating system's functions as they were when wiretight was imported; and its sockets as `ssl` has them.

Certificates, keys and key logs are on the real file system, as everything is that OpenSSL opens itself. A program that
replaces `os.stat` or `open` for its own tests (mock.patch, pyfakefs) must not decide by that whom its contexts trust:
pytest-dev/pyfakefs#674. Each is in an object of its own, because such tools go through the globals of modules too.

PlainSocket is what is under our SSLSocket, of which the standard one is a base. What a program (PySocks, pytest-socket)
has put into `socket.socket` since `ssl` was imported is no base of either. StandardContext is the context of `ssl`,
whatever a program (truststore, mock.patch) has put into `ssl.SSLContext`; None where there is no `ssl`.
"""

# ruff: noqa: PLC0414  the alias marks an exported name for type checkers

from __future__ import annotations

from wiretight._standard.errors import HAS_STANDARD, standard
from wiretight._standard.typing import TYPE_CHECKING

if TYPE_CHECKING:
    import errno as errno
    import io as io
    import os as os
    import socket
    import stat as stat
    import time as time

    PlainSocket = socket.socket
    StandardContext: type | None
else:
    import errno as _errno
    import io as _io
    import os as _os
    import socket as _socket
    import stat as _stat
    import time as _time
    from types import SimpleNamespace

    errno, io, os, stat, time = (SimpleNamespace(**vars(module)) for module in (_errno, _io, _os, _stat, _time))

    _kinds = standard.SSLSocket.__mro__ if HAS_STANDARD else (_socket.socket,)
    PlainSocket = next(kind for kind in _kinds if not hasattr(kind, "do_handshake"))

    _contexts = standard._ssl._SSLContext.__subclasses__() if HAS_STANDARD else ()
    StandardContext = next((kind for kind in _contexts if kind.__module__ == "ssl"), None)
