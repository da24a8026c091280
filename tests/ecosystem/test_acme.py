"""ACME's tls-alpn-01 (RFC 8737): Pebble validates a server that shows a challenge's certificate by its callback.

The client is the `acme` package, in a process of its own. The server is each of our faces, and asyncio's own TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import wiretight
from tests.ecosystem.families import pebble
from tests.kit.certificates import ADDRESS, Certificates
from tests.kit.programs import Process
from tests.kit.threads import PATIENCE, Task
from wiretight import Credential
from wiretight import asyncio as native

PACKAGES = Path(sys.prefix) / "apart" / "acme"
CLIENT = Path(__file__).parent / "programs" / "acme_client.py"
CLIENTS = {"PYTHONPATH": str(PACKAGES)}
NAME = "acme.example"
ACME = "acme-tls/1"


def challenge_credential(name: str, key_authorization: str) -> Credential:
    """What RFC 8737, section 3, asks for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.timezone.utc)
    digest = hashlib.sha256(key_authorization.encode()).digest()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), b"\x04\x20" + digest), critical=True
        )
        .sign(key, hashes.SHA256())
    )
    return Credential.from_objects(certificate, key)


class Challenges:
    """The credentials of open challenges by name, and the callback that shows them to who asks for ACME."""

    def __init__(self) -> None:
        self.open: dict[str, Credential] = {}
        self.shown: list[str] = []

    def __call__(self, _: Any, hello: wiretight.ClientHello) -> Credential | None:
        if hello.alpn_protocols != (ACME,):
            return None
        self.shown.append(str(hello.server_name))
        return self.open[str(hello.server_name)]

    async def later(self, connection: Any, hello: wiretight.ClientHello) -> Credential | None:
        await asyncio.sleep(0)
        return self(connection, hello)


@pytest.fixture
def challenges() -> Challenges:
    return Challenges()


@pytest.fixture
def context(certificates: Certificates, challenges: Challenges) -> Any:
    """Of a server of HTTP that gets its certificate beside it."""
    context = certificates.server_context(alpn=["http/1.1", ACME])
    context.client_hello_callback = challenges
    return context


@pytest.fixture(scope="module")
def authority(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[pebble.Pebble]:
    with pebble.running(certificates.server, tmp_path_factory.mktemp("pebble")) as running:
        yield running


# --- The faces --------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def accepting(port: int, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """A thread that serves connections one after the other."""
    with socket.create_server((ADDRESS, port)) as listener:

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                sock.settimeout(PATIENCE)
                with contextlib.suppress(OSError), sock:
                    serve(sock)

        task = Task(accept)
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    task.result()


def by_socket(context: Any) -> Callable[[socket.socket], None]:
    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as connection:
            connection.recv(1)

    return serve


def by_object(context: Any) -> Callable[[socket.socket], None]:
    def serve(sock: socket.socket) -> None:
        incoming, outgoing = wiretight.MemoryBIO(), wiretight.MemoryBIO()
        connection = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                connection.do_handshake()
            except wiretight.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
            else:
                sock.sendall(outgoing.read())
                sock.recv(65536)
                return

    return serve


@contextlib.contextmanager
def looping(port: int, context: Any, by: str) -> Iterator[None]:
    """A loop in a thread, with our transports, or asyncio's own TLS over our SSLObject."""
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def main() -> None:
        make = native.start_server if by == "transport" else asyncio.start_server
        server = await make(lambda _, writer: writer.close(), ADDRESS, port, ssl=context)
        async with server:
            ready.set()
            await over.wait()

    over = asyncio.Event()
    task = Task(lambda: loop.run_until_complete(main()))
    try:
        assert ready.wait(PATIENCE)
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        task.result()
        loop.close()


@contextlib.contextmanager
def serving(face: str, port: int, context: Any) -> Iterator[None]:
    if face in ("transport", "asyncio"):
        with looping(port, context, face):
            yield
    else:
        serve = by_socket if face == "socket" else by_object
        with accepting(port, serve(context)):
            yield


@pytest.mark.parametrize("face", ["socket", "object", "transport", "coroutine", "asyncio"])
def test_pebble_validates(
    face: str, context: Any, challenges: Challenges, authority: pebble.Pebble, certificates: Certificates
) -> None:
    if not PACKAGES.exists():
        pytest.skip("acme is not installed: scripts/test without --bare installs it")
    if face == "coroutine":
        face, context.client_hello_callback = "transport", challenges.later
    with (
        serving(face, authority.tls_port, context),
        Process(sys.executable, CLIENT, authority.directory, certificates.ca_file, NAME, environment=CLIENTS) as client,
    ):
        authorization = client.line_with(".").strip()
        challenges.open[NAME] = challenge_credential(NAME, authorization)
        client.say(b"it is answered for\n")
        client.line_with("done")
    assert "-----BEGIN CERTIFICATE-----" in client.output
    assert NAME in challenges.shown
