"""pip, with wiretight as its TLS, installs a wheel of 10 MiB from an index on loopback."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import os
import random
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import wiretight
from tests.ecosystem.families.processes import Refused, command, output
from tests.interop.test_http import QuietServer
from tests.kit.certificates import ADDRESS, HOST

DATA = random.Random(0).randbytes(10 << 20)
WHEEL = "heavy-1-py3-none-any.whl"


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    page = folder / "heavy"
    page.mkdir()
    (page / "index.html").write_text(f'<!DOCTYPE html><a href="{WHEEL}">{WHEEL}</a>')
    with zipfile.ZipFile(page / WHEEL, "w") as wheel:
        wheel.writestr("heavy/data", DATA)
        wheel.writestr("heavy-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: heavy\nVersion: 1\n")
        wheel.writestr("heavy-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("heavy-1.dist-info/RECORD", "heavy/data,,\nheavy-1.dist-info/METADATA,,\n")
    return folder


@contextlib.contextmanager
def served(folder: Path, context: object) -> Iterator[int]:
    with QuietServer((ADDRESS, 0), functools.partial(Files, directory=folder)) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), name="index")
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


def install(port: int, target: Path, *options: object) -> bytes:
    """Returns what arrived. pip neither asks the network, nor reads or writes anything of this machine's user."""
    quietly = ("--isolated", "--no-cache-dir", "--disable-pip-version-check", "--no-compile", "--retries", 0)
    where = ("--index-url", f"https://{HOST}:{port}/", "--target", target)
    call = command(wiretight, "-m", "pip", "install", *quietly, *where, *options, "heavy", PIP_CONFIG_FILE=os.devnull)
    output(call)
    return (target / "heavy" / "data").read_bytes()


def test_a_wheel_arrives_unchanged(index, certificates, tmp_path):
    with served(index, certificates.server_context()) as port:
        data = install(port, tmp_path, "--cert", certificates.ca_file)
    assert hashlib.sha256(data).digest() == hashlib.sha256(DATA).digest()


def test_an_index_for_another_host_is_refused(index, certificates, tmp_path):
    with served(index, certificates.server_context(credentials=certificates.elsewhere)) as port:
        with pytest.raises(Refused, match=r"(?i)hostname.*(mismatch|doesn't match)"):
            install(port, tmp_path, "--cert", certificates.ca_file)


def test_an_index_of_a_stranger_is_refused(index, certificates, tmp_path):
    with served(index, certificates.server_context()) as port:
        with pytest.raises(Refused, match=r"(?i)certificate.verify.failed"):
            install(port, tmp_path, "--cert", certificates.other_ca_file)


def test_an_index_that_asks_for_a_client_certificate_gets_one(index, certificates, tmp_path):
    both = tmp_path / "client.pem"
    both.write_bytes(certificates.client.chain.read_bytes() + certificates.client.key.read_bytes())
    with served(index, certificates.server_context(client_ca=certificates.ca_file)) as port:
        data = install(port, tmp_path / "target", "--cert", certificates.ca_file, "--client-cert", both)
        assert hashlib.sha256(data).digest() == hashlib.sha256(DATA).digest()
        with pytest.raises(Refused):
            install(port, tmp_path / "other", "--cert", certificates.ca_file)
