"""accept(): the deadline of its handshake, which no silent client can outlast."""

from __future__ import annotations

import http.client
import http.server
import socket
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from tests.core.peer import until
from tests.incidents.references import reference
from tests.incidents.sender import Sender
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.deadlines import TIMEOUT
from tests.kit.sockets import connect
from tests.kit.threads import PATIENCE, Task


def one_by_one(raw: bytes) -> Iterator[bytes]:
    return (raw[at : at + 1] for at in range(len(raw)))


@pytest.fixture
def listener(server_context: Any) -> Iterator[Any]:
    with server_context.wrap_socket(socket.create_server((ADDRESS, 0)), server_side=True) as listener:
        listener.settimeout(PATIENCE)
        yield listener


ACCEPTING = reference("CVE-2023-38200", "web2py/web2py#2400", "OpenKMIP/PyKMIP#430", "brian7704/OpenTAKServer#305")


@ACCEPTING
def test_accept_drops_a_silent_client_and_serves_the_next(
    server_context: Any, client_context: Any, listener: Any, deadline: Any
) -> None:
    server_context.handshake_timeout = TIMEOUT
    with socket.create_connection(listener.getsockname()) as silent:
        with deadline():
            listener.accept()
        silent.settimeout(PATIENCE)
        assert silent.recv(1) == b"", "the silent client's connection is closed"
        server_context.handshake_timeout = PATIENCE
        connecting = Task(connect, client_context, listener.getsockname())
        accepted, address = listener.accept()
        with accepted, connecting.result() as client:
            assert address == client.getsockname()
            accepted.sendall(b"data")
            assert client.recv(10) == b"data"
            assert accepted.gettimeout() is None, "the deadline is the handshake's alone"


@ACCEPTING
def test_accept_drops_a_client_that_sends_a_byte_now_and_then(
    server_context: Any, listener: Any, deadline: Any
) -> None:
    server_context.handshake_timeout = TIMEOUT
    with socket.create_connection(listener.getsockname()) as slow:
        with Sender(slow, one_by_one(bytes.fromhex("1603010fff") + bytes(1000)), 0.05) as sender:
            with deadline():
                listener.accept()
        assert sender.sent < 1000


@ACCEPTING
def test_a_server_of_the_standard_library_keeps_serving_too(certificates: Certificates, version: Any) -> None:
    context = certificates.server_context(version)
    context.handshake_timeout = TIMEOUT

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer((ADDRESS, 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = Task(server.serve_forever, 0.01)
        silent = [socket.create_connection(server.server_address) for _ in range(3)]
        try:
            client = http.client.HTTPSConnection(
                HOST, server.server_port, context=certificates.client_context(version), timeout=PATIENCE
            )
            client.request("GET", "/")
            assert client.getresponse().status == 204
            client.close()
        finally:
            for sock in silent:
                sock.close()
            server.shutdown()
            serving.result()


@reference("Python, ssl.SSLSocket.accept")
def test_without_a_deadline_accept_waits_indefinitely(server_context: Any, client_context: Any, listener: Any) -> None:
    assert server_context.handshake_timeout is None
    accepting = Task(listener.accept)
    with socket.create_connection(listener.getsockname(), PATIENCE) as plain:
        until(lambda: accepting.running, "it waits")
        with client_context.wrap_socket(plain, server_hostname=HOST):
            accepting.result()[0].close()


@ACCEPTING
def test_a_deadline_does_not_apply_if_accept_performs_no_handshake(server_context: Any) -> None:
    server_context.handshake_timeout = TIMEOUT
    with server_context.wrap_socket(
        socket.create_server((ADDRESS, 0)), server_side=True, do_handshake_on_connect=False
    ) as listener:
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.gettimeout() is None


@ACCEPTING
@pytest.mark.parametrize("seconds", [0, -1, 0.0, float("nan"), float("inf"), 1e10, 1 << 99, "1", b"", []])
def test_an_invalid_deadline_is_rejected(server_context: Any, seconds: Any) -> None:
    server_context.handshake_timeout = 5
    with pytest.raises((ValueError, TypeError)):
        server_context.handshake_timeout = seconds
    assert server_context.handshake_timeout == 5
    server_context.handshake_timeout = None
    assert server_context.handshake_timeout is None


@ACCEPTING
@pytest.mark.parametrize("seconds", [0x7FFFFFFF, Fraction(41, 2)])
def test_any_deadline_that_can_be_set_can_be_kept(
    listener: Any, client_context: Any, server_context: Any, seconds: Any
) -> None:
    server_context.handshake_timeout = seconds
    connecting = Task(connect, client_context, listener.getsockname())
    accepted, _ = listener.accept()
    with accepted, connecting.result():
        assert accepted.version()
