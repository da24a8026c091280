"""The programs in examples/ do what their first lines say."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PAGE
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.servers import Server
from tests.kit.sockets import connect
from tests.kit.subject import tls
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


@pytest.fixture
def router(certificates: Certificates) -> Iterator[Callable[..., int]]:
    """Starts the router with these routes, and returns its port."""
    with contextlib.ExitStack() as stack:

        def start(*routes: str) -> int:
            command = [sys.executable, EXAMPLES / "sni_router.py", "0", *routes]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            return int(process.stdout.readline())

        yield start


def answering(text: bytes) -> Callable[[Any], None]:
    return lambda connection: connection.sendall(text + b" " + connection.recv(100))


def test_the_router_chooses_by_name_and_protocol(router: Callable[..., int], certificates: Certificates) -> None:
    client = certificates.client_context()
    speaking = certificates.client_context(alpn=["h2", "http/1.1"])
    client.check_hostname = speaking.check_hostname = False
    with contextlib.ExitStack() as stack:
        ports = [
            stack.enter_context(Server(certificates.server_context(alpn=["h2"]), answering(name))).address[1]
            for name in (b"first", b"second", b"others")
        ]
        port = router(
            f"{HOST}/h2={ADDRESS}:{ports[0]}", f"{HOST}={ADDRESS}:{ports[1]}", f"other.example={ADDRESS}:{ports[2]}"
        )
        for context, name, answer in (
            (speaking, HOST, b"first"),
            (client, HOST.upper(), b"second"),
            (speaking, "other.example", b"others"),
        ):
            with connect(context, (ADDRESS, port), server_hostname=name) as connection:
                connection.sendall(b"data")
                assert connection.recv(100) == answer + b" data"
                connection.unwrap().close()


def test_what_a_client_calls_itself_is_one_line_of_the_routers_output(certificates: Certificates) -> None:
    name = b"a\nb\x1b[2J"
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    listed = len(entry).to_bytes(2, "big") + entry
    extensions = b"\0\0" + len(listed).to_bytes(2, "big") + listed
    body = b"\3\3" + bytes(33) + b"\0\2\x13\1" + b"\1\0" + len(extensions).to_bytes(2, "big") + extensions
    hello = b"\1" + len(body).to_bytes(3, "big") + body
    command = [sys.executable, EXAMPLES / "sni_router.py", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            with socket.create_connection((ADDRESS, int(process.stdout.readline()))) as plain:
                plain.sendall(b"\x16\3\1" + len(hello).to_bytes(2, "big") + hello)
                assert plain.recv(1) == b""
        finally:
            process.kill()
        [line] = process.stdout.read().splitlines()
    assert line.startswith(rb"'a\nb\x1b[2J' t")
    assert line.endswith(b"-> None")


def test_the_router_serves_nobody_whose_name_has_no_route(
    router: Callable[..., int], certificates: Certificates
) -> None:
    port = router(f"other.example={ADDRESS}:1")
    with pytest.raises((ConnectionError, tls.SSLEOFError)):
        connect(certificates.client_context(), (ADDRESS, port))
    with socket.create_connection((ADDRESS, port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert plain.recv(100) == b""


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "asyncio_client.py",
        "asyncio_native.py",
        "blocking_client.py",
        "https_server.py",
        "memory_bio_client.py",
        "selectors_client.py",
        "sni_router.py",
    }


def test_the_examples_listen_on_loopback_only() -> None:
    for name in ("https_server.py", "sni_router.py"):
        assert f'"{ADDRESS}"' in (EXAMPLES / name).read_text()
