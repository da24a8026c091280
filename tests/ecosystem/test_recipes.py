"""The recipes of docs/do run as they are printed, but for the addresses."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import wiretight
from tests.ecosystem.families import postgresql, redis
from tests.ecosystem.terms import HANDED, Terms
from tests.interop.test_http import QuietServer
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.printed import DOCS, Block, blocks, commands_in_reach, connected, on_loopback, running
from tests.kit.sockets import free_port, receive_all
from tests.kit.threads import PATIENCE

PAGES = sorted((DOCS / "do").glob("*.md"))


class Recipe(NamedTuple):
    """What is to be run, and the files of its page that it needs."""

    block: Block
    files: dict[str, str]

    @property
    def text(self) -> str:
        """All of it, to look for names."""
        return "".join([self.block.text, *self.files.values()])

    @property
    def is_server(self) -> bool:
        return "8443" in self.block.text or self.block.title == "server"


def recipes() -> Iterator[Any]:
    for page in PAGES:
        files: dict[str, str] = {}
        for number, block in enumerate(blocks(page), 1):
            if block.language == "python" and block.title:
                files[block.title] = block.text
            else:
                name = f"{page.stem}-{block.heading}-{number}"
                yield pytest.param(Recipe(block, dict(files)), id=name.replace(" ", "-"))


EVERY = list(recipes())
CLIENTS = [each for each in EVERY if not each.values[0].is_server]
SERVERS = [each for each in EVERY if each.values[0].is_server]

# The libraries that are not in every environment.
LIBRARIES = (
    "aiohttp", "asyncpg", "django", "eventlet", "fastapi", "gevent", "gunicorn", "httpx", "hypercorn", "redis",
    "requests", "urllib3", "uvicorn",
)  # fmt: skip

# What a client prints that has got its answer.
ANSWERS = {"pip": "pip ", "redis-py": "b'hello'", "asyncpg": "hello", "smtplib": "sent"}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as sends one message, after STARTTLS."""

    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line.split()[0].upper()
            if verb == b"STARTTLS":
                self.wfile.write(b"220 go ahead\r\n")
                super().finish()
                self.request = self.server.context.wrap_socket(self.request, server_side=True)
                self.setup()
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() != b".\r\n":
                    pass
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"EHLO":
                self.wfile.write(b"250-here\r\n250 STARTTLS\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                break
            else:
                self.wfile.write(b"250 fine\r\n")

    def finish(self) -> None:
        super().finish()
        self.request.close()


class MailServer(socketserver.ThreadingTCPServer):
    block_on_close = True

    def __init__(self, context: Any) -> None:
        self.context = context
        super().__init__((ADDRESS, 0), Mail)


@contextlib.contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def web(terms: Terms) -> Iterator[int]:
    server = QuietServer((ADDRESS, 0), Page)
    server.socket = terms.server_context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield port


@contextlib.contextmanager
def mail(terms: Terms) -> Iterator[int]:
    with serving(MailServer(terms.server_context)) as port:
        yield port


# Whom a client asks, and on which port.
THEIRS = {
    "redis.example.org": (redis.server, 6379),
    "db.example.org": (postgresql.server, 5432),
    "mail.example.org": (mail, 587),
}


@pytest.fixture
def terms(certificates: Certificates) -> Terms:
    return Terms(HANDED, wiretight, certificates, certificates.server, None)


@pytest.fixture
def environment(certificates: Certificates, tmp_path: Path) -> dict[str, str]:
    """Trust in the CA of the tests; cert.pem, key.pem and ca.pem are in the working directory."""
    shutil.copy(certificates.server.chain, tmp_path / "cert.pem")
    shutil.copy(certificates.server.key, tmp_path / "key.pem")
    shutil.copy(certificates.ca_file, tmp_path / "ca.pem")
    trust = str(certificates.ca_file)
    return {
        **os.environ,
        "SSL_CERT_FILE": trust,
        "REQUESTS_CA_BUNDLE": trust,
        "NO_PROXY": "*",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def prepared(recipe: Recipe, folder: Path, change: Any) -> list[str]:
    """Writes its files; the command that runs it."""
    for library in LIBRARIES:
        is_used = re.search(rf"^ *(import|from) {library}\b|^{library} ", recipe.text, re.MULTILINE)
        if is_used and find_spec(library) is None:  # not imported: eventlet warns of each fork() that follows
            pytest.skip(f"{library} is not installed: scripts/test without --bare installs it")
    for name, text in recipe.files.items():
        (folder / name).write_text(change(text))
    if recipe.block.language == "sh":
        return ["env", f"PATH={commands_in_reach()}", "sh", "-ec", recipe.block.text]
    (folder / "program.py").write_text(change(recipe.block.text))
    return [sys.executable, "program.py"]


@pytest.mark.parametrize("recipe", CLIENTS)
def test_a_client_gets_its_answer(recipe: Recipe, terms: Terms, environment: dict[str, str], tmp_path: Path) -> None:
    host = next((host for host in THEIRS if host in recipe.block.text), None)
    server, usual_port = THEIRS[host] if host else (web, 0)
    with server(terms) as port:

        def change(text: str) -> str:
            if host:
                return text.replace(host, HOST).replace(str(usual_port), str(port))
            return on_loopback(text, port)

        command = prepared(recipe, tmp_path, change)
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert done.returncode == 0, done.stderr
    assert ANSWERS.get(recipe.block.heading, "200") in done.stdout


@pytest.mark.parametrize("recipe", SERVERS)
def test_a_server_answers(
    recipe: Recipe, environment: dict[str, str], certificates: Certificates, tmp_path: Path
) -> None:
    port = free_port()
    command = prepared(recipe, tmp_path, functools.partial(on_loopback, port=port))
    with running(command, environment, tmp_path) as server:
        context = certificates.client_context(module=wiretight)
        with connected(server, port) as plain, context.wrap_socket(plain, server_hostname=HOST) as client:
            client.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            answer = receive_all(client)
    assert b"200" in answer.partition(b"\r\n")[0]
    assert b"hello\n" in answer
