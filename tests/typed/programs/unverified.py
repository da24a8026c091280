"""Verification switched off, as old recipes do it."""

import ssl
import urllib.request
from pathlib import Path


def lenient(host: str) -> ssl.SSLContext:
    context = ssl._create_unverified_context(cert_reqs=ssl.CERT_OPTIONAL, check_hostname=False, cafile=Path(host))
    urllib.request.urlopen(f"https://{host}", context=ssl._create_unverified_context())
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def lenient_by_hand() -> ssl.SSLContext:
    context = ssl.SSLContext(protocol=ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(ssl._DEFAULT_CIPHERS + ":@SECLEVEL=1")
    return context


def everywhere() -> None:
    ssl._create_default_https_context = ssl._create_unverified_context  # type: ignore[assignment]
