"""The certificate of a server, the dates in one, and where OpenSSL looks for CA certificates."""

from __future__ import annotations

import os
import re
from socket import _GLOBAL_DEFAULT_TIMEOUT, create_connection  # type: ignore[attr-defined]

from wiretight._core.trust.truststore import default_verify_paths
from wiretight._tls.certificate import DER_cert_to_PEM_cert
from wiretight._tls.constants import PROTOCOL_TLS_CLIENT, DefaultVerifyPaths, VerifyMode
from wiretight._tls.context import _create_stdlib_context

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CERT_TIME = re.compile(r"([a-z]{3})\s+(\d\d?)\s+(\d\d?):(\d\d?):(\d\d?)\s+(\d{4})\s+gmt\s*", re.ASCII)


def cert_time_to_seconds(cert_time: str) -> int:
    """Seconds since the Epoch (UTC) for a date as getpeercert() has it: "Jan  5 09:34:43 2018 GMT".

    Raises ValueError for anything else; month names are English whatever the locale.
    Since 0.1. Source: RFC 5280, section 4.1.2.5.
    """
    from calendar import timegm  # here: it takes longer to import than most of wiretight, and few ask for a date

    parts = _CERT_TIME.fullmatch(cert_time.lower())
    if parts is not None and parts[1] in _MONTHS:
        day, hour, minute, second, year = map(int, parts.group(2, 3, 4, 5, 6))
        if 1 <= day <= 31 and hour < 24 and minute < 60 and second < 62:
            return timegm((year, _MONTHS.index(parts[1]) + 1, day, hour, minute, second))
    raise ValueError(f'time data {cert_time!r} does not match format "%b %d %H:%M:%S %Y GMT"')


def get_server_certificate(
    addr: tuple[str, int],
    ssl_version: int = PROTOCOL_TLS_CLIENT,
    ca_certs: str | None = None,
    timeout: float | None = _GLOBAL_DEFAULT_TIMEOUT,
) -> str:
    """The certificate of the server at `addr`, (host, port), as PEM text.

    It is verified only against `ca_certs`, a file of CA certificates, and not at all without one. `timeout` is in
    seconds, for connecting and for each step of the handshake. Raises OSError where the host is not reached, SSLError
    where the handshake or the verification fails.

    Since 0.1. Source: `ssl.get_server_certificate`.
    """
    context = _create_stdlib_context(
        ssl_version,
        cert_reqs=VerifyMode.CERT_NONE if ca_certs is None else VerifyMode.CERT_REQUIRED,
        cafile=ca_certs,
    )
    with create_connection(addr, timeout=timeout) as raw, context.wrap_socket(raw, server_hostname=addr[0]) as tls:
        certificate = tls.getpeercert(True)
    if certificate is None:
        raise ValueError(f"{addr[0]}:{addr[1]} showed no certificate")
    return DER_cert_to_PEM_cert(certificate)


def get_default_verify_paths() -> DefaultVerifyPaths:
    """Where the OpenSSL in use looks for CA certificates.

    `cafile` and `capath` are what is there (None if nothing is): the environment variables SSL_CERT_FILE and
    SSL_CERT_DIR, otherwise the paths that the system's OpenSSL was built with, or where an OpenSSL of wiretight's own
    (OPENSSL_STATIC) finds this system's certificates now. Since 0.1.
    OpenSSL: X509_get_default_cert_file(3)
    """
    file_env, file, path_env, path = default_verify_paths()
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
