"""The programs in README.md and docs/ run as they are printed, but for the address of the server.

The recipes in docs/do are run by tests/ecosystem, and those of the tutorial by test_tutorial.py.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.kit import printed
from tests.kit.certificates import ADDRESS, HOST, Certificates, Credentials
from tests.kit.printed import DOCS, ROOT, THEIR_SERVER, connected, on_loopback
from tests.kit.proxies import tunnel
from tests.kit.servers import Server
from tests.kit.sockets import free_port, receive_all
from tests.kit.threads import PATIENCE

RUN_ELSEWHERE = {"do", "learn"}
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md")),
    *(page for page in sorted(DOCS.rglob("*.md")) if page.relative_to(DOCS).parts[0] not in RUN_ELSEWHERE),
]
PROGRAMS = {
    f"{page.relative_to(ROOT / ('docs' if page.is_relative_to(DOCS) else '.'))}-{number}": program
    for page in PAGES
    for number, program in enumerate(printed.programs(page), 1)
}
SERVERS = {name for name, program in PROGRAMS.items() if "8443" in program}
PROXY, PROXY_PORT = "proxy.example.net", 3128


@pytest.fixture
def environment(tmp_path: Path, certificates: Certificates) -> Iterator[dict[str, str]]:
    """Trust in the CA of the tests; cert.pem, key.pem, ca.pem and ca.crl are in the working directory."""
    shutil.copy(certificates.server.chain, tmp_path / "cert.pem")
    shutil.copy(certificates.server.key, tmp_path / "key.pem")
    shutil.copy(certificates.ca_file, tmp_path / "ca.pem")
    (tmp_path / "ca.crl").write_bytes(certificates.crl().der)
    trust = str(certificates.ca_file)
    with vault(certificates.client) as address:
        yield {
            **os.environ,
            "SSL_CERT_FILE": trust,
            "REQUESTS_CA_BUNDLE": trust,
            "NO_PROXY": "*",
            "VAULT_ADDR": address,
            "VAULT_TOKEN": "token",
        }


@contextlib.contextmanager
def vault(issued: Credentials) -> Iterator[str]:
    """As much of HashiCorp's Vault as hands out a certificate; its address."""

    class Issuing(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["X-Vault-Token"] == "token"
            chain = issued.chain.read_text().split("-----END CERTIFICATE-----\n")
            certificate, *others = [f"{part}-----END CERTIFICATE-----" for part in chain[:-1]]
            data = {"certificate": certificate, "ca_chain": others, "private_key": issued.key.read_text()}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"data": data}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer((ADDRESS, 0), Issuing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://{ADDRESS}:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(certificates: Certificates) -> Iterator[Server]:
    with Server(certificates.server_context(), tunnel, ragged_eof_ok=True) as server:
        yield server


@pytest.mark.parametrize("name", sorted(PROGRAMS.keys() - SERVERS))
def test_a_client_runs(name: str, web_port: int, proxy: Server, environment: dict[str, str], tmp_path: Path) -> None:
    for package in re.findall(r"^import (aiohttp|httpx|redis|requests)$", PROGRAMS[name], re.MULTILINE):
        if find_spec(package) is None:  # not imported: eventlet warns of each fork() that follows
            pytest.skip(f"{package} is not installed: scripts/test without --bare installs it")
    file = tmp_path / "program.py"  # which the processes that it starts import
    program = PROGRAMS[name].replace(PROXY, HOST).replace(str(PROXY_PORT), str(proxy.port))
    file.write_text(on_loopback(program, web_port))
    command = [sys.executable, file]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "200" in result.stdout or THEIR_SERVER not in PROGRAMS[name]
    assert bool(proxy.all_seen()) == (PROXY in PROGRAMS[name])


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_server_answers(name: str, environment: dict[str, str], certificates: Certificates, tmp_path: Path) -> None:
    port = free_port()
    with running(PROGRAMS[name], port, environment, tmp_path) as server:
        context = wiretight.create_default_context(cafile=certificates.ca_file)
        context.load_cert_chain(*certificates.client)
        with connected(server, port) as plain, context.wrap_socket(plain, server_hostname=HOST) as client:
            if "uvicorn" in PROGRAMS[name]:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert receive_all(client).endswith(b"hello\n")


def test_the_server_of_the_recipe_shows_a_renewed_certificate(
    environment: dict[str, str], certificates: Certificates, tmp_path: Path
) -> None:
    [program] = [program for program in PROGRAMS.values() if "reload_interval" in program]
    port = free_port()
    with running(program.replace("reload_interval = 60", "reload_interval = 0"), port, environment, tmp_path) as server:
        first = shown(server, port, certificates)
        for new, name in zip(certificates.many_names, ("cert.pem", "key.pem"), strict=True):
            shutil.copy(new, tmp_path / "new.pem")
            (tmp_path / "new.pem").replace(tmp_path / name)
        # Until the files count as finished, whichever worker answers.
        while any(shown(server, port, certificates) == first for _ in range(8)):
            time.sleep(0.1)
        assert shown(server, port, certificates)["subjectAltName"][0] == ("DNS", "0.example")


def test_the_server_of_the_recipe_refuses_a_client_from_when_it_is_revoked(
    environment: dict[str, str], certificates: Certificates, tmp_path: Path
) -> None:
    [program] = [program for program in PROGRAMS.values() if "SIGHUP" in program]
    port = free_port()
    with running(program, port, environment, tmp_path) as server:
        assert is_served(server, port, certificates)
        (tmp_path / "ca.crl").write_bytes(certificates.crl(certificates.client).der)
        server.send_signal(signal.SIGHUP)
        while is_served(server, port, certificates):  # until the program has met the signal
            time.sleep(0.01)


def is_served(server: subprocess.Popen[bytes], port: int, certificates: Certificates) -> bool:
    context = certificates.client_context()
    context.load_cert_chain(*certificates.client)
    refusal = "nothing"
    with connected(server, port) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=HOST) as client:
                return receive_all(client) == b"hello\n"
        except wiretight.SSLError as error:
            refusal = str(error)
    assert "CERTIFICATE_REVOKED" in refusal
    return False


def shown(server: subprocess.Popen[bytes], port: int, certificates: Certificates) -> dict[str, Any]:
    context = certificates.client_context()
    context.check_hostname = False
    with connected(server, port) as plain, context.wrap_socket(plain) as client:
        found: dict[str, Any] = client.getpeercert()
        return found


@contextlib.contextmanager
def running(program: str, port: int, environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    if "uvicorn" in program:
        reason = "needs uvicorn 0.47 or newer, which scripts/test without --bare installs"
        pytest.importorskip("uvicorn", minversion="0.47", reason=reason)
    (folder / "server.py").write_text(on_loopback(program, port))
    with printed.running([sys.executable, "server.py"], environment, folder) as server:
        yield server


def test_the_pages_contain_programs() -> None:
    assert {name.rpartition("-")[0] for name in PROGRAMS} >= {"README.md", "asyncio.md", "drop-in.md", "tls-in-tls.md"}
    assert SERVERS
