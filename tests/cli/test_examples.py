"""The programs in examples/ do what their first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PAGE
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.threads import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIENTS = ("blocking_client.py", "memory_bio_client.py", "asyncio_client.py", "asyncio_native.py")


def run(name: str, *arguments: object) -> bytes:
    command = [sys.executable, EXAMPLES / name, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, timeout=PATIENCE, check=True).stdout


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_prints_the_page(name: str, web_port: int, certificates: Certificates) -> None:
    answer = run(name, HOST, web_port, certificates.ca_file)

    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + PAGE)


def test_the_selectors_client_fetches_the_page_over_each_connection(web_port: int, certificates: Certificates) -> None:
    lines = run("selectors_client.py", HOST, web_port, 7, certificates.ca_file).decode().splitlines()

    assert len(lines) == 7
    assert len(set(lines)) == 1
    assert lines[0].startswith("HTTP/1.0 200 OK ")


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_rejects_an_untrusted_server(name: str, web_port: int, certificates: Certificates) -> None:
    command = [sys.executable, EXAMPLES / name, HOST, str(web_port), certificates.other_ca_file]
    result = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)

    assert b"SSLCertVerificationError" in result.stderr
    assert result.stdout == b""


def test_the_server_answers_the_client(certificates: Certificates) -> None:
    command = [sys.executable, EXAMPLES / "https_server.py", "0", *certificates.server]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            answer = run("blocking_client.py", HOST, port, certificates.ca_file)
        finally:
            server.kill()

    assert b"TLSv1.3 TLS_" in answer


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "asyncio_client.py",
        "asyncio_native.py",
        "blocking_client.py",
        "https_server.py",
        "memory_bio_client.py",
        "selectors_client.py",
    }


def test_the_examples_listen_on_loopback_only() -> None:
    assert f'"{ADDRESS}"' in (EXAMPLES / "https_server.py").read_text()
