"""Certificates: fetched, converted, dated; and where OpenSSL looks for them."""

import ssl
from pathlib import Path

from typing_extensions import assert_type


def fetch(host: str, port: int) -> bytes:
    pem = ssl.get_server_certificate((host, port), timeout=5)
    assert_type(pem, str)
    return ssl.PEM_cert_to_DER_cert(pem)


def save(path: Path, der: bytes | bytearray | memoryview) -> None:
    text = ssl.DER_cert_to_PEM_cert(der)
    if not text.startswith(ssl.PEM_HEADER) or ssl.PEM_FOOTER not in text:
        raise ValueError(text)
    path.write_text(text)


def days_left(certificate: dict[str, object], now: int) -> float:
    return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - now) / 86400


def where() -> list[str]:
    paths = ssl.get_default_verify_paths()
    assert_type(paths, ssl.DefaultVerifyPaths)
    assert_type(paths.cafile, str)
    return [paths.openssl_cafile_env, paths.openssl_cafile, paths.openssl_capath_env, paths.openssl_capath]


def purposes() -> list[tuple[int, str, str, str]]:
    return [
        (purpose.nid, purpose.shortname, purpose.longname, purpose.oid)
        for purpose in (ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH)
    ]
