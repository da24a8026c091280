"""Removed: what only the `ssl` of Python 3.10 and 3.11 has, for programs that run there."""

from __future__ import annotations

import warnings

from wiretight._core.base.random import RAND_bytes
from wiretight._core.base.tables import library_of, reason_of
from wiretight._standard.errors import HAS_STANDARD, standard
from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.constants import PROTOCOL_TLS, VerifyMode
from wiretight._tls.defaults import new_context

if TYPE_CHECKING:
    import os
    import socket

    from wiretight._tls.socket import SSLSocket

# Replaced here.
_REPLACED = ("RAND_pseudo_bytes", "wrap_socket")
# The standard library's own: these inspect a dictionary or a string, and use no TLS.
_KEPT = ("match_hostname", "_dnsname_match", "_inet_paton", "_ipaddress_match")


def RAND_pseudo_bytes(num: int) -> tuple[bytes, bool]:  # noqa: N802
    """`num` random bytes, and True; deprecated: use RAND_bytes(). Since 0.1."""
    warnings.warn("ssl.RAND_pseudo_bytes() is deprecated, use RAND_bytes()", DeprecationWarning, stacklevel=2)
    return RAND_bytes(num), True


def wrap_socket(
    sock: socket.socket,
    keyfile: str | os.PathLike[str] | None = None,
    certfile: str | os.PathLike[str] | None = None,
    server_side: bool = False,
    cert_reqs: int = VerifyMode.CERT_NONE,
    ssl_version: int = PROTOCOL_TLS,
    ca_certs: str | os.PathLike[str] | None = None,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    ciphers: str | None = None,
) -> SSLSocket:
    """A TLS connection without a context, which never verifies the name of the server.

    Deprecated: use SSLContext.wrap_socket(). Raises ValueError for arguments that contradict each other. Since 0.1.
    Source: `ssl.wrap_socket` of Python 3.11.
    """
    warnings.warn("ssl.wrap_socket() is deprecated, use SSLContext.wrap_socket()", DeprecationWarning, stacklevel=2)
    if server_side and not certfile:
        raise ValueError("certfile must be specified for server-side operations")
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    context = new_context(ssl_version)
    context.verify_mode = cert_reqs
    if ca_certs:
        context.load_verify_locations(ca_certs)
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    if ciphers:
        context.set_ciphers(ciphers)
    return context.wrap_socket(
        sock,
        server_side=server_side,
        do_handshake_on_connect=do_handshake_on_connect,
        suppress_ragged_eofs=suppress_ragged_eofs,
    )


# Those of `_ssl`, not of `ssl`.
_TABLES = ("err_codes_to_names", "err_names_to_codes", "lib_codes_to_names")
ERROR_TABLES = {name for name in _TABLES if HAS_STANDARD and hasattr(standard._ssl, name)}  # type: ignore[attr-defined]

_LIBRARIES = range(1, 128)  # a program's own begin at ERR_LIB_USER, 128
_REASONS = range(1, 2048)


def error_tables() -> dict[str, dict[Any, Any]]:
    """OpenSSL's errors, as `_ssl` has them: {(library, reason): name}, the reverse, and {library: name}. Since 0.1."""
    libraries = {number: name for number in _LIBRARIES if (name := library_of(number))}
    codes = {(lib, number): name for lib in libraries for number in _REASONS if (name := reason_of(lib, number))}
    names = {name: code for code, name in codes.items()}
    return dict(zip(_TABLES, (codes, names, libraries), strict=True))


NAMES: dict[str, Any] = {name: globals()[name] for name in _REPLACED if hasattr(standard, name)} | {
    name: getattr(standard, name) for name in _KEPT if hasattr(standard, name)
}
