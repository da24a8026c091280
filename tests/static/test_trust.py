"""Trust comes from the system that wiretight runs on, not from where its OpenSSL was built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import Certificates

# Debian and Alpine, Fedora, openSUSE, macOS.
PLACES = (
    *("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"),
    *("/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"),
)

PROGRAM = """
import json, sys, wiretight as ssl
context = ssl.create_default_context()
loaded = len(context.get_ca_certs())
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(*sys.argv[1:])
to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
sides = [
    context.wrap_bio(to_client, to_server, server_hostname="localhost"),
    server.wrap_bio(to_server, to_client, server_side=True),
]
verified = True
try:
    for side in sides * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
except ssl.SSLCertVerificationError:
    verified = False
print(json.dumps({"paths": ssl.get_default_verify_paths(), "loaded": loaded, "verified": verified}))
"""


def ask(certificates: Certificates, **environment: str) -> dict[str, Any]:
    """What a program sees whose environment says no more than this about trust."""
    cleaned = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, certificates.server)],
        env={**cleaned, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_default_is_what_the_system_trusts(certificates: Certificates) -> None:
    trusted = next((place for place in map(Path, PLACES) if place.is_file()), None)
    if trusted is None:
        pytest.skip("this system has no CA certificates (package ca-certificates)")
    answer = ask(certificates)
    file, folder, *_ = paths = answer["paths"]

    assert trusted.samefile(file)
    assert paths == [file, folder, "SSL_CERT_FILE", file, "SSL_CERT_DIR", folder]
    assert answer["loaded"] == trusted.read_text().count("BEGIN CERTIFICATE")
    assert answer["verified"] is False


def test_ssl_cert_file_replaces_the_file(certificates: Certificates) -> None:
    answer = ask(certificates, SSL_CERT_FILE=str(certificates.ca_file))

    assert answer["loaded"] == 1
    assert answer["verified"] is True


def test_ssl_cert_dir_replaces_the_folder(certificates: Certificates, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl, which names files by hash, is not installed (package openssl)")
    shutil.copy(certificates.ca_file, tmp_path / "ca.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    answer = ask(certificates, SSL_CERT_FILE="/no/such/file", SSL_CERT_DIR=str(tmp_path))

    assert answer["loaded"] == 0
    assert answer["verified"] is True


def test_an_environment_that_leads_nowhere_trusts_nobody(certificates: Certificates) -> None:
    answer = ask(certificates, SSL_CERT_FILE="/no/such/file", SSL_CERT_DIR="/no/such/folder")

    assert answer["loaded"] == 0
    assert answer["verified"] is False
