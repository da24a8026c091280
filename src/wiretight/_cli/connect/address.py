"""Address: a server as users write it."""

import re
import socket

from wiretight._cli.errors import UsageError

HTTPS = 443


def split_address(text: str, default_port: int = HTTPS) -> tuple[str, int]:
    """(host, port) of "host", "host:port", "host:service", "[address]:port" or a URL.

    Without a port it is `default_port`, or that of the URL's scheme. Raises `UsageError` for anything else.
    """
    scheme, separator, rest = text.partition("://")
    if separator:
        # What leads to a server of it, without the user's name and the path (RFC 3986, section 3).
        text = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    found = re.fullmatch(r"(?:\[([^\[\]/\s]+)\]|([^:\[\]/\s]+))(?::([0-9]{1,5}|[a-z][a-z0-9-]*))?", text)
    port = None
    if found:
        port = _port(found[3]) if found[3] else _service(scheme.lower()) if separator else default_port
    if not found or port is None:
        what = f"{text!r} is not HOST or HOST:PORT"
        raise UsageError(f"{what}: write example.org, example.org:443, or [::1]:443 for an IPv6 address")
    return found[1] or found[2], port


def _port(text: str) -> int | None:
    if text.isdecimal():
        return int(text) if 0 < int(text) < 65536 else None
    return _service(text)


def _service(name: str) -> int | None:
    try:
        return socket.getservbyname(name, "tcp")
    except (OSError, UnicodeError):
        return {"https": HTTPS, "wss": HTTPS}.get(name)
