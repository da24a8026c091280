"""serve, with a folder and as a proxy: whatever a client sends, the others are served, and each note is one line."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.serving import Serving, backend, serving_folder, serving_proxy
from tests.face.test_client_hello import hello, real_hello
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.sockets import receive_all
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task
from wiretight._cli.serve import httpsserver, proxy

MARKUP = b"<script>alert(1)</script>"


def record(content: bytes, kind: int = 22) -> bytes:
    return bytes([kind, 3, 1]) + len(content).to_bytes(2, "big") + content


def records(message: bytes) -> bytes:
    return b"".join(record(message[at : at + 16384]) for at in range(0, len(message), 16384))


# What comes instead of a handshake.
RAW = {
    "nothing": b"",
    "a zero": b"\0",
    "half a header": b"\x16\x03",
    "an empty record": record(b""),
    "a thousand empty records": record(b"") * 1000,
    "a record of zeros": record(bytes(512)),
    "a record that is too long": b"\x16\x03\x01\xff\xff" + bytes(70_000),
    "an alert": record(b"\x02\x28", kind=21),
    "data": record(b"GET / HTTP/1.1\r\n\r\n", kind=23),
    "half a hello": record(real_hello())[:200],
    "a hello of a megabyte": b"\x16\x03\x01\x40\x00\x01\x0f\xff\xff" + bytes(16380),
    "an extension twice": record(hello(extensions=[(23, b""), (23, b"")])),
    "a name of markup": record(hello(extensions=[(0, b"\0\x1c\0\0\x19" + MARKUP)])),
    "a name with a zero": record(hello(extensions=[(0, b"\0\x06\0\0\x03a\0b")])),
    "no suite in common": record(hello([1])),
    "every suite": records(hello(range(1, 30_000))),
    "a version to come": record(hello(extensions=[(43, b"\x02\x7f\xff")])),
    "SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40),
    "noise": bytes(range(128, 256)) * 100,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "plain HTTP": b"GET /" + MARKUP + b" HTTP/1.1\r\nHost: " + MARKUP + b"\r\n\r\n",
    "plain HTTP without an end": b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
}

# What comes inside TLS.
INSIDE = {
    "nothing": b"",
    "zeros": bytes(100),
    "noise": bytes(range(256)) * 1000,
    "an endless line": b"GET /" + b"a" * 100_000,
    "endless fields": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000,
    "an endless field": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000,
    "markup in the path": b"GET /" + MARKUP + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "markup in the method": MARKUP + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "markup in the version": b"GET / " + MARKUP + b"\r\nHost: x\r\n\r\n",
    "markup in the query": b"GET /_tls?" + MARKUP + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "markup in the host": b"GET /_tls HTTP/1.1\r\nHost: " + MARKUP + b"\r\n\r\n",
    "escapes in the path": b"GET /\x1b[31m\x07 HTTP/1.1\r\nHost: x\r\n\r\n",
    "escaped escapes in the path": b"GET /%1b%5b31m%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a zero in the path": b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n",
    "an encoded zero": b"GET /a%00b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "bare line feeds": b"GET /_tls HTTP/1.1\nHost: x\n\n",
    "no version": b"GET /_tls\r\n\r\n",
    "another method": b"POST /_tls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "an upgrade": b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n",
    "a negative length": b"GET /_tls HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"GET /_tls HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a chunk that never comes": b"GET /_tls HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    "an absolute URL": b"GET https://x/_tls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a hundred requests for the page": b"GET /_tls HTTP/1.1\r\nHost: x\r\n\r\n" * 100,
}


def answer(sock: socket.socket) -> None:
    """A server behind that answers everything alike, at its end."""
    receive_all(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


@pytest.fixture(params=["folder", "proxy"])
def serve(request: Any, tmp_path: Path) -> Iterator[Callable[[Any], Serving]]:
    """Start either of the two with a context."""
    with contextlib.ExitStack() as stack:

        def start(context: Any) -> Serving:
            if request.param == "folder":
                return stack.enter_context(serving_folder(context, tmp_path))
            port = stack.enter_context(backend(answer))
            return stack.enter_context(serving_proxy(context, port))

        yield start


@pytest.fixture
def serving(serve: Callable[[Any], Serving], certificates: Certificates) -> Serving:
    return serve(certificates.server_context(alpn=["http/1.1"]))


def is_served(serving: Serving, certificates: Certificates) -> bool:
    return b'"version": "TLSv1.3"' in serving.get(certificates.client_context(), "/_tls.json")


@pytest.mark.parametrize("said", RAW.values(), ids=RAW.keys())
def test_whatever_comes_instead_of_a_handshake(said: bytes, serving: Serving, certificates: Certificates) -> None:
    with socket.create_connection((ADDRESS, serving.port), PATIENCE) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            heard = receive_all(client)

            assert MARKUP not in heard
            assert heard[:1] in (b"", b"\x15", b"\x16") or heard.startswith(b"HTTP/1.1 400 Bad Request\r\n")

    assert is_served(serving, certificates)
    assert_one_line_each(serving.notes)


@pytest.mark.parametrize("said", INSIDE.values(), ids=INSIDE.keys())
def test_whatever_comes_inside(said: bytes, serving: Serving, certificates: Certificates) -> None:
    with serving.connect(certificates.client_context()) as client:
        heard = b""
        with contextlib.suppress(ConnectionError):
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            while data := client.recv(65536):
                heard += data

    assert MARKUP not in heard
    assert b"\x1b" not in heard
    assert b"\r\nX: y" not in heard
    assert is_served(serving, certificates)
    assert_one_line_each(serving.notes)


def test_clients_that_reset(serving: Serving, certificates: Certificates) -> None:
    for said in (b"", record(real_hello())[:100], record(real_hello()), b"GET / HTTP/1.1\r\n"):
        with socket.create_connection((ADDRESS, serving.port)) as client:
            client.sendall(said)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert is_served(serving, certificates)
    assert_one_line_each(serving.notes)


def test_a_client_that_goes_on_sending_is_refused_without_a_reset(
    serve: Callable[[Any], Serving], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (httpsserver, proxy):
        monkeypatch.setattr(module, "CLOSE_SECONDS", PATIENCE)
    serving = serve(certificates.server_context(tls.TLSVersion.TLSv1_3, client_ca=certificates.ca_file))
    incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
    client = certificates.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with socket.create_connection((ADDRESS, serving.port), PATIENCE) as plain:
        while True:
            try:
                client.do_handshake()
                break
            except tls.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
        client.write(b"GET / HTTP/1.1\r\n\r\n" * 100)
        plain.sendall(outgoing.read())  # the end of the handshake and the requests, at once
        incoming.write(receive_all(plain))
        for _ in range(20):  # a reset would be an error of all but the first
            plain.sendall(b"more")

    with pytest.raises(tls.SSLError, match="CERTIFICATE_REQUIRED"):
        client.read()


def test_slow_bytes_delay_nobody(serving: Serving, certificates: Certificates) -> None:
    whole = record(real_hello())
    with socket.create_connection((ADDRESS, serving.port)) as slow:
        for byte in whole[:20]:
            slow.sendall(bytes([byte]))
            assert is_served(serving, certificates)


def test_a_request_that_never_ends_is_given_up(certificates: Certificates, tmp_path: Path) -> None:
    context = certificates.server_context()
    with serving_folder(context, tmp_path, timeout=0.5) as serving:
        with serving.connect(certificates.client_context()) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nX: ")
            with contextlib.suppress(OSError):  # a broken pipe, or a reset
                while True:
                    slow.sendall(b"y")
                    time.sleep(0.01)

        assert is_served(serving, certificates)
        assert any("timed out" in line for line in serving.requests)


def test_connections_over_the_limit_of_a_folder_wait_for_a_place(certificates: Certificates, tmp_path: Path) -> None:
    context = certificates.client_context()
    with (
        serving_folder(certificates.server_context(), tmp_path, connections=2) as serving,
        serving.connect(context) as first,
        serving.connect(context),
    ):
        third = Task(serving.connect, context)
        for _ in range(20):  # in which time a third one would have come
            first.sendall(b"HEAD /_tls HTTP/1.1\r\nHost: x\r\n\r\n")
            assert first.recv(65536)
        assert third.running
        first.close()
        third.result().close()


def assert_one_line_each(notes: list[str]) -> None:
    for note in notes:
        assert note.startswith(f"{ADDRESS} "), note
        assert note.isprintable()
        assert "Error" not in note, note
        assert "Traceback" not in note
