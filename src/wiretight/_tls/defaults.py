"""Defaults: contexts with the right settings for most programs, and the places of this system's CA certificates."""

from __future__ import annotations

import os
import sys
from socket import _GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]

from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.constants import (
    PROTOCOL_TLS_CLIENT,
    PROTOCOL_TLS_SERVER,
    VERIFY_X509_PARTIAL_CHAIN,
    VERIFY_X509_STRICT,
    DefaultVerifyPaths,
    Purpose,
    VerifyMode,
    _ASN1Object,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from wiretight._core.x509.certificate import _Path
    from wiretight._tls.context import SSLContext


def package() -> Any:
    """The package, for what these functions of it use of each other: `ssl` asks its globals at each call.

    gevent, truststore, proxies and tests put something of theirs there. Since 0.1.
    """
    return sys.modules["wiretight"]


def new_context(protocol: int) -> SSLContext:
    """A context of the class that the package has under this name now. Since 0.1."""
    context: SSLContext = package().SSLContext(protocol)
    return context


def create_default_context(
    purpose: Purpose = Purpose.SERVER_AUTH,
    *,
    cafile: _Path | None = None,
    capath: _Path | None = None,
    cadata: str | Buffer | None = None,
) -> SSLContext:
    """A context with the right settings for most programs.

    SERVER_AUTH is for a client, which verifies the server's certificate and name, against the given CA certificates (a
    file, a folder of hashed files, PEM text or DER bytes) or else the system's. CLIENT_AUTH is for a server. The keys
    of its connections are written to the file that SSLKEYLOGFILE names.

    Raises TypeError or ValueError for another purpose, OSError or SSLError for certificates that cannot be read.
    Since 0.1. Source: `ssl.create_default_context` of Python 3.13 (VERIFY_X509_STRICT, VERIFY_X509_PARTIAL_CHAIN).
    """
    protocol = _protocol_for(purpose)
    context = new_context(protocol)
    if protocol == PROTOCOL_TLS_CLIENT:
        context.verify_mode = VerifyMode.CERT_REQUIRED
        context.check_hostname = True
    context.verify_flags |= VERIFY_X509_PARTIAL_CHAIN | VERIFY_X509_STRICT
    _load_trust(context, purpose, cafile, capath, cadata)
    return context


def _create_unverified_context(
    protocol: int | None = None,
    *,
    cert_reqs: int | None = VerifyMode.CERT_NONE,
    check_hostname: bool = False,
    purpose: Purpose = Purpose.SERVER_AUTH,
    certfile: _Path | None = None,
    keyfile: _Path | None = None,
    cafile: _Path | None = None,
    capath: _Path | None = None,
    cadata: str | Buffer | None = None,
) -> SSLContext:
    """A context that verifies nothing by default. The standard library's clients use it by this name.

    Raises what create_default_context() does, and ValueError for a key without its certificate. Since 0.1.
    """
    implied = _protocol_for(purpose)
    context = new_context(implied if protocol is None else protocol)
    context.check_hostname = check_hostname
    if cert_reqs is not None:
        context.verify_mode = VerifyMode(cert_reqs)
    if check_hostname:
        context.check_hostname = True
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    _load_trust(context, purpose, cafile, capath, cadata)
    return context


def _protocol_for(purpose: Any) -> Any:
    if not isinstance(purpose, _ASN1Object):
        raise TypeError(purpose)
    if purpose == Purpose.SERVER_AUTH:
        return PROTOCOL_TLS_CLIENT
    if purpose == Purpose.CLIENT_AUTH:
        return PROTOCOL_TLS_SERVER
    raise ValueError(purpose)


def _load_trust(context: SSLContext, purpose: Any, cafile: Any, capath: Any, cadata: Any) -> None:
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif context.verify_mode != VerifyMode.CERT_NONE:
        context.load_default_certs(purpose)
    keylog = os.environ.get("SSLKEYLOGFILE")
    if keylog and not sys.flags.ignore_environment:
        context.keylog_filename = keylog


_create_default_https_context = create_default_context
_create_stdlib_context = _create_unverified_context


def get_server_certificate(
    addr: tuple[str, int],
    ssl_version: int = PROTOCOL_TLS_CLIENT,
    ca_certs: str | None = None,
    timeout: float | None = _GLOBAL_DEFAULT_TIMEOUT,
) -> str:
    """The certificate of the server at `addr`, (host, port), as PEM text.

    It is verified only against `ca_certs`, a file of CA certificates, and not at all without one. `timeout` is in
    seconds, for connecting and for each step of the handshake. Raises OSError if the host cannot be reached, SSLError
    if the handshake or the verification fails.

    Since 0.1. Source: `ssl.get_server_certificate`.
    """
    ssl = package()
    context = ssl._create_stdlib_context(
        ssl_version,
        cert_reqs=VerifyMode.CERT_NONE if ca_certs is None else VerifyMode.CERT_REQUIRED,
        cafile=ca_certs,
    )
    with ssl.create_connection(addr, timeout=timeout) as raw, context.wrap_socket(raw, server_hostname=addr[0]) as tls:
        certificate = tls.getpeercert(True)
    if certificate is None:
        raise ValueError(f"{addr[0]}:{addr[1]} presented no certificate")
    pem: str = ssl.DER_cert_to_PEM_cert(certificate)
    return pem


def get_default_verify_paths() -> DefaultVerifyPaths:
    """Where the OpenSSL in use looks for CA certificates.

    `cafile` and `capath` are None unless they exist. They come from the environment variables SSL_CERT_FILE and
    SSL_CERT_DIR; otherwise they are the paths that the system's OpenSSL was built with, or those where an OpenSSL of
    wiretight's own (OPENSSL_STATIC) finds this system's certificates now. Since 0.1.
    OpenSSL: X509_get_default_cert_file(3)
    """
    file_env, file, path_env, path = package()._ssl.get_default_verify_paths()
    cafile = os.environ.get(file_env, file)
    capath = os.environ.get(path_env, path)
    return DefaultVerifyPaths(
        cafile if os.path.isfile(cafile) else None,  # type: ignore[arg-type]  # noqa: PTH113
        capath if os.path.isdir(capath) else None,  # type: ignore[arg-type]  # noqa: PTH112
        file_env,
        file,
        path_env,
        path,
    )
