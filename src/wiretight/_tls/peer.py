"""The peer, before TLS: the name that its certificate must match, and whether it is connected.

The core rejects an empty name and a leading dot when it creates a connection, because programs also pass it names that
they have encoded themselves.
"""

from __future__ import annotations

import errno

from wiretight._standard.errors import SSLError
from wiretight._standard.typing import Any

_IN_PROGRESS = (errno.ENOTCONN, errno.EINVAL)  # EINVAL: an unconnected AF_UNIX socket


def check_parameters(context: Any, server_side: bool, server_hostname: str | bytes | None, session: Any) -> None:
    """Raises ValueError for arguments of wrap_socket() or wrap_bio() that contradict each other. Since 0.1."""
    if server_side and server_hostname:
        raise ValueError("server_hostname can only be specified in client mode")
    if server_side and session is not None:
        raise ValueError("session can only be specified in client mode")
    if context.check_hostname and not server_hostname:
        raise ValueError("check_hostname requires server_hostname")


def encode_hostname(hostname: str | bytes | None) -> str | None:
    """A host name as an A-label; bytes must be one already. Raises UnicodeError if it cannot be encoded. Since 0.1.

    Source: RFC 3490 (IDNA 2003), as in `ssl`.
    """
    if hostname is None:
        return None
    if isinstance(hostname, str):
        return hostname if _is_a_label(hostname) else hostname.encode("idna").decode("ascii")
    return hostname.decode("ascii")


def _is_a_label(hostname: str) -> bool:
    """Whether IDNA would not change it: the codec costs as much as the rest of creating a connection."""
    if type(hostname) is not str or not hostname.isascii() or hostname.startswith(".") or ".." in hostname:
        return False
    return len(hostname) < 64 or len(max(hostname.split("."), key=len)) < 64


def has_peer(sock: Any) -> bool:
    """Whether the socket is connected. Raises SSLError if it no longer is, but has unread data.

    A program would otherwise read data from before TLS and mistake it for authenticated (CVE-2023-40217). Since 0.1.
    """
    try:
        sock.getpeername()
        return True
    except OSError as error:
        if error.errno not in _IN_PROGRESS:
            raise
    # Whatever the timeout: with one, the socket would wait before recv(), and a listener never gets data.
    blocking = sock.getblocking()
    sock.setblocking(False)
    try:
        unread = sock.recv(1)
    except OSError as error:
        if error.errno not in _IN_PROGRESS:
            raise
        return False
    finally:
        sock.setblocking(blocking)
    if unread:
        reason = "Closed before TLS handshake with data in recv buffer."
        rejected = SSLError(errno.ENOTCONN, reason)
        rejected.reason = reason
        rejected.library = None  # type: ignore[assignment]
        raise rejected
    return False
