"""The peer, before TLS: the name that it has to show, and whether it is there.

An empty name and a leading dot are refused by the core, where a connection is made: programs also come there with names
that they have encoded themselves.
"""

from __future__ import annotations

import errno

from wiretight._standard.errors import SSLError
from wiretight._standard.typing import Any

_IN_PROGRESS = (errno.ENOTCONN, errno.EINVAL)  # an unconnected AF_UNIX socket says EINVAL


def check_parameters(context: Any, server_side: bool, server_hostname: str | bytes | None, session: Any) -> None:
    """Raises ValueError for arguments of wrap_socket() or wrap_bio() that don't belong together. Since 0.1."""
    if server_side and server_hostname:
        raise ValueError("server_hostname can only be specified in client mode")
    if server_side and session is not None:
        raise ValueError("session can only be specified in client mode")
    if context.check_hostname and not server_hostname:
        raise ValueError("check_hostname requires server_hostname")


def encode_hostname(hostname: str | bytes | None) -> str | None:
    """A host name as an A-label; bytes are taken to be one. Raises UnicodeError for what cannot be encoded. Since 0.1.

    Source: RFC 3490 (IDNA 2003), as `ssl` has it.
    """
    if hostname is None:
        return None
    if isinstance(hostname, str):
        return hostname if _is_a_label(hostname) else hostname.encode("idna").decode("ascii")
    return hostname.decode("ascii")


def _is_a_label(hostname: str) -> bool:
    """Whether IDNA leaves it as it is: the codec costs as much as the rest of making a connection."""
    if type(hostname) is not str or not hostname.isascii() or hostname.startswith(".") or ".." in hostname:
        return False
    return len(hostname) < 64 or len(max(hostname.split("."), key=len)) < 64


def has_peer(sock: Any) -> bool:
    """Whether the socket is connected. Raises SSLError where it no longer is, but left data behind.

    What came before TLS would otherwise be read by a program that takes it for authenticated (CVE-2023-40217).
    Since 0.1.
    """
    try:
        sock.getpeername()
        return True
    except OSError as error:
        if error.errno not in _IN_PROGRESS:
            raise
    # Whatever the timeout: a socket that has one waits before recv(), and a listener has nothing to wait for.
    blocking = sock.getblocking()
    sock.setblocking(False)
    try:
        left = sock.recv(1)
    except OSError as error:
        if error.errno not in _IN_PROGRESS:
            raise
        return False
    finally:
        sock.setblocking(blocking)
    if left:
        reason = "Closed before TLS handshake with data in recv buffer."
        refusal = SSLError(errno.ENOTCONN, reason)
        refusal.reason = reason
        refusal.library = None  # type: ignore[assignment]
        raise refusal
    return False
