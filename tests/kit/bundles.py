"""Files of CA certificates, as wiretight reads them and as `ssl` does."""

from __future__ import annotations

import ssl as standard
from pathlib import Path
from typing import Any

import wiretight
from wiretight._core.trust.index import certificates_in

# A line that says nothing to OpenSSL; a file that has it is not of the usual form, and OpenSSL decodes all of it.
UNUSUAL = b"-----\n"
SAME_OPENSSL = standard.OPENSSL_VERSION == wiretight.OPENSSL_VERSION


def pem(*ders: bytes) -> bytes:
    return b"".join(wiretight.DER_cert_to_PEM_cert(der).encode() for der in ders)


def outcome(module: Any, path: Path) -> Any:
    """What a context trusts that has loaded the file, in every form; or what the error says."""
    context = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except standard.SSLError as error:
        return type(error).__name__, error.library, error.reason, error.args[0]
    try:
        described = context.get_ca_certs()
    except (standard.SSLError, ValueError) as error:
        described = type(error).__name__
    return context.cert_store_stats(), context.get_ca_certs(binary_form=True), described


def check_is_read_alike(path: Path, scratch: Path) -> bool:
    """As `ssl` reads the file, if that is on the same OpenSSL, and as OpenSSL decodes it; whether that was put off."""
    ours = outcome(wiretight, path)
    content = path.read_bytes()
    if SAME_OPENSSL and b"\0" not in content:  # from a file, which `ssl` has it read, OpenSSL takes a line up to there
        assert ours == outcome(standard, path), path
    if certificates_in(content) is None:
        return False
    scratch.write_bytes(content + b"\n" + UNUSUAL)
    assert certificates_in(scratch.read_bytes()) is None
    assert ours == outcome(wiretight, scratch), path
    return True
