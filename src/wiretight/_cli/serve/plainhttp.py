"""Plain HTTP on a port of TLS: how it is recognized, and the answer that explains what to do instead."""

import re

from wiretight._cli.serve.requesthead import HOST

LIMIT = 16 * 1024  # bytes of a request that are read; whatever it says, the answer is the same
_HOST_FIELD = re.compile(rb"^host:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def is_plain_http(first: bytes) -> bool:
    """Whether a connection that begins with these bytes is no TLS, but HTTP: its methods are capital letters.

    Source: RFC 9110 section 9.1; a TLS record begins with 22 (RFC 8446 section 5.1).
    """
    return first[:1].isalpha() and first[:1].isupper()


def is_complete(request: bytes) -> bool:
    """Whether nothing more of the request has to be read."""
    return b"\r\n\r\n" in request or len(request) >= LIMIT


def refusal(request: bytes, port: int) -> bytes:
    """The response for the request, or for its beginning: 400, with the URL that would have worked."""
    asked = _HOST_FIELD.search(request)
    host = asked[1].decode("latin-1") if asked else ""
    # What the client says is repeated only where it cannot be anything but a host.
    url = f"https://{host}/" if host and HOST.fullmatch(host) else f"https://localhost:{port}/"
    text = f"This port speaks TLS, and the request came in plain HTTP.\nUse {url} instead: with an s.\n"
    head = (
        "HTTP/1.1 400 Bad Request\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"Content-Length: {len(text)}\r\n"
        "Connection: close\r\n"
        "\r\n"
    )
    return (head + ("" if request.startswith(b"HEAD ") else text)).encode("ascii")
