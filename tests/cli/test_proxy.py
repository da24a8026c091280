"""serve --proxy: what is spoken inside TLS passes unchanged, and each end and failure of one side reaches the other."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import http.server
import os
import queue
import select
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.command import assert_one_line, started, wiretight
from tests.cli.serving import Serving, backend, serving_proxy
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.programs import curl
from tests.kit.sockets import free_port, receive_all
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


def echo(sock: socket.socket) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)


class Web(http.server.BaseHTTPRequestHandler):
    """Says on which connection a request came."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = f"{self.path} {self.client_address[1]} {len(body)}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    with http.server.ThreadingHTTPServer((ADDRESS, 0), Web) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def echoing(certificates: Certificates, version: Any) -> Iterator[Serving]:
    with backend(echo) as port, serving_proxy(certificates.server_context(version), port) as serving:
        yield serving


def test_requests_pass_on_one_connection(web: int, server_context: Any, certificates: Certificates) -> None:
    with serving_proxy(server_context, web) as serving:
        context = certificates.client_context()
        client = http.client.HTTPSConnection(HOST, serving.port, timeout=PATIENCE, context=context)
        with contextlib.closing(client):
            said = []
            for method, body in (("GET", b""), ("POST", b"x" * 1_000_000), ("GET", b"")):
                client.request(method, "/path?query", body)
                said.append(client.getresponse().read().split())

    assert [(path, size) for path, _, size in said] == [
        (b"/path?query", b"0"), (b"/path?query", b"1000000"), (b"/path?query", b"0"),
    ]  # fmt: skip
    assert len({port for _, port, _ in said}) == 1


def test_curl_gets_what_the_server_behind_says(web: int, certificates: Certificates) -> None:
    with serving_proxy(certificates.server_context(), web) as serving:
        url = f"https://{HOST}:{serving.port}"
        fetched = curl(f"{url}/first", f"{url}/second", "--cacert", certificates.ca_file, "--write-out", "\n")

    first, second = sorted(line.split() for line in fetched.stdout.splitlines())
    assert (first[0], second[0]) == (b"/first", b"/second")
    assert first[1] == second[1]  # over one connection


def test_every_byte_passes_in_both_directions(echoing: Serving, client_context: Any) -> None:
    data = os.urandom(8 * 1024 * 1024)
    with echoing.connect(client_context) as client:

        def send() -> None:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

        sending = Task(send)
        received = receive_all(client)
        sending.result()

    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


def test_a_connection_that_is_upgraded_passes(certificates: Certificates) -> None:
    def upgrade(sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1024)
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        sock.sendall(b"\x81\x05hello")
        echo(sock)

    with (
        backend(upgrade) as port,
        serving_proxy(certificates.server_context(), port) as serving,
        serving.connect(certificates.client_context()) as client,
    ):
        client.sendall(b"GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        said = b""
        while not said.endswith(b"\x81\x05hello"):
            said += client.recv(1024)
        client.sendall(b"\x82\x03\x00\xff\x01")

        assert said.startswith(b"HTTP/1.1 101 ")
        assert client.recv(1024) == b"\x82\x03\x00\xff\x01"


def test_a_websocket_of_the_websockets_library_passes(certificates: Certificates) -> None:
    reason = "websockets is not installed: scripts/test without --bare installs it"
    client = pytest.importorskip("websockets.sync.client", reason=reason)
    server = pytest.importorskip("websockets.sync.server", reason=reason)

    def answer(connection: Any) -> None:
        for message in connection:
            connection.send(message[::-1])

    with server.serve(answer, ADDRESS, 0) as behind:
        thread = threading.Thread(target=behind.serve_forever)
        thread.start()
        port = behind.socket.getsockname()[1]
        with serving_proxy(certificates.server_context(), port) as serving:
            context = certificates.client_context()
            with client.connect(f"wss://{HOST}:{serving.port}/", ssl=context, proxy=None) as connection:
                for message in ("hello", b"\x00\xff" * 100_000):
                    connection.send(message)
                    assert connection.recv(PATIENCE) == message[::-1]
        behind.shutdown()
        thread.join()


def test_a_server_that_speaks_first_is_heard(certificates: Certificates, server_context: Any) -> None:
    def greet(sock: socket.socket) -> None:
        sock.sendall(b"220 ready\r\n")
        echo(sock)

    with (
        backend(greet) as port,
        serving_proxy(server_context, port) as serving,
        serving.connect(certificates.client_context()) as client,
    ):
        assert client.recv(1024) == b"220 ready\r\n"
        client.sendall(b"EHLO there\r\n")
        assert client.recv(1024) == b"EHLO there\r\n"


def test_the_end_of_one_direction_leaves_the_other_open(certificates: Certificates, server_context: Any) -> None:
    def answer_at_the_end(sock: socket.socket) -> None:
        sock.sendall(b"you said " + receive_all(sock))

    with (
        backend(answer_at_the_end) as port,
        serving_proxy(server_context, port) as serving,
        serving.connect(certificates.client_context(), suppress_ragged_eofs=False) as client,
    ):
        client.sendall(b"this")
        client.shutdown(socket.SHUT_WR)

        assert receive_all(client) == b"you said this"


def test_a_client_that_is_cut_off_is_a_reset_to_the_server_behind(
    certificates: Certificates, server_context: Any
) -> None:
    heard: queue.Queue[object] = queue.Queue()

    def listen(sock: socket.socket) -> None:
        try:
            while data := sock.recv(1024):
                heard.put(data)
            heard.put("the end")
        except ConnectionResetError:
            heard.put("a reset")

    with backend(listen) as port, serving_proxy(server_context, port) as serving:
        client = serving.connect(certificates.client_context())
        client.sendall(b"half of ")
        assert heard.get(timeout=PATIENCE) == b"half of "
        with socket.socket(fileno=client.detach()):
            pass  # closes it without close_notify

        assert heard.get(timeout=PATIENCE) == "a reset"


def test_a_server_behind_that_resets_is_no_proper_end_to_the_client(
    certificates: Certificates, server_context: Any
) -> None:
    def reset(sock: socket.socket) -> None:
        sock.sendall(b"half of ")
        sock.recv(1024)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with (
        backend(reset) as port,
        serving_proxy(server_context, port) as serving,
        serving.connect(certificates.client_context(), suppress_ragged_eofs=False) as client,
    ):
        assert client.recv(1024) == b"half of "
        client.sendall(b"go on")
        with pytest.raises((tls.SSLEOFError, ConnectionResetError)):
            client.recv(1024)


def test_whoever_does_not_read_makes_the_server_behind_wait(certificates: Certificates) -> None:
    sent = 0
    more = 256 * 1024 * 1024
    waits = threading.Event()

    def send(sock: socket.socket) -> None:
        nonlocal sent
        sock.recv(1)
        sock.setblocking(False)
        block = bytes(1024 * 1024)
        while sent < more:
            if not select.select([], [sock], [], 2 if not waits.is_set() else PATIENCE)[1]:
                if waits.is_set():
                    return
                waits.set()
                sock.setblocking(True)
                return
            sent += sock.send(block)
        waits.set()

    with (
        backend(send) as port,
        serving_proxy(certificates.server_context(), port) as serving,
        serving.connect(certificates.client_context()) as client,
    ):
        client.sendall(b"!")
        assert waits.wait(4 * PATIENCE)
        assert sent < more
        assert len(receive_all(client)) == sent


def test_a_server_behind_that_is_down_is_a_502(server_context: Any, certificates: Certificates) -> None:
    with serving_proxy(server_context, free_port()) as serving:
        said = serving.ask(certificates.client_context(), REQUEST)

        assert said.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"refused the connection: nothing listens there" in said
        assert "refused the connection: nothing listens there" in serving.notes[0]


def test_a_server_behind_that_is_down_is_an_end_without_http(server_context: Any, certificates: Certificates) -> None:
    with serving_proxy(server_context, free_port()) as serving:
        assert serving.ask(certificates.client_context(), b"\x00\x01\x02", suppress_ragged_eofs=False) == b""


def test_plain_http_is_told_which_url_to_use(certificates: Certificates) -> None:
    with serving_proxy(certificates.server_context(), free_port()) as serving:
        fetched = curl(f"http://{HOST}:{serving.port}/", "--include")

    assert fetched.stdout.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"https://{HOST}:{serving.port}/ ".encode() in fetched.stdout


def test_a_client_that_is_refused_reads_why(certificates: Certificates, version: Any) -> None:
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    with backend(echo) as port, serving_proxy(context, port) as serving:
        with pytest.raises(tls.SSLError, match=r"(?i)alert|certificate"):
            serving.ask(certificates.client_context(version), REQUEST)
        shown = certificates.client_context(version, credentials=certificates.client)
        with serving.connect(shown) as client:
            client.sendall(b"hello")
            assert client.recv(1024) == b"hello"

    assert serving.notes == [f"{ADDRESS} showed no certificate"]


def test_the_page_is_there_whatever_the_server_behind_does(web: int, certificates: Certificates) -> None:
    context = certificates.client_context()
    for port in (web, free_port()):
        with serving_proxy(certificates.server_context(), port) as serving:
            assert b'"version": "TLSv1.3"' in serving.get(context, "/_tls.json?now")
            assert b"<h1>Your handshake</h1>" in serving.get(context, "/_tls")
            assert serving.ask(context, b"HEAD /_tls HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")
            byte_by_byte = serving.connect(context)
            with byte_by_byte:
                for byte in b"GET /_tls HTTP/1.1\r\nHost: x\r\n\r\n":
                    byte_by_byte.sendall(bytes([byte]))
                assert b" 200 OK\r\n" in receive_all(byte_by_byte)
            assert not serving.notes


def test_what_only_begins_like_the_page_passes(certificates: Certificates) -> None:
    with backend(echo) as port, serving_proxy(certificates.server_context(), port) as serving:
        for said in (b"GET /_tlsx HTTP/1.1\r\n\r\n", b"GET /_", b"HEAD", b"POST /_tls HTTP/1.1\r\n\r\n"):
            with serving.connect(certificates.client_context()) as client:
                client.sendall(said)
                client.shutdown(socket.SHUT_WR)
                assert receive_all(client) == said


def test_a_silent_client_is_dropped_at_the_deadline(certificates: Certificates) -> None:
    with serving_proxy(certificates.server_context(), free_port(), handshake_seconds=0.1) as serving:
        for said in (b"", b"\x16\x03\x01\x02\x00"):
            with socket.create_connection((ADDRESS, serving.port), PATIENCE) as silent:
                silent.sendall(said)
                assert receive_all(silent) == b""

    assert serving.notes == [f"{ADDRESS} did not answer in time"] * 2


def test_idle_connections_do_not_delay_others(echoing: Serving, client_context: Any) -> None:
    with contextlib.ExitStack() as idle:
        for number in range(100):
            sock = idle.enter_context(socket.create_connection((ADDRESS, echoing.port)))
            if number % 2:
                sock.sendall(b"\x16\x03")
        with echoing.connect(client_context) as client:
            client.sendall(b"hello")
            assert client.recv(1024) == b"hello"


def test_connections_over_the_limit_wait_for_a_place(certificates: Certificates) -> None:
    context = certificates.client_context()
    with (
        backend(echo) as port,
        serving_proxy(certificates.server_context(), port, connections=2) as serving,
        serving.connect(context) as first,
        serving.connect(context) as second,
    ):
        third = Task(serving.connect, context)
        for client in (first, second) * 10:  # in which time a third one would have come
            client.sendall(b"hello")
            assert client.recv(1024) == b"hello"
        assert third.running
        first.close()
        with third.result() as client:
            client.sendall(b"hello")
            assert client.recv(1024) == b"hello"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_passes_and_ends_quietly(number: signal.Signals, status: int, web: int) -> None:
    with started("serve", "--self-made", "--port", 0, "--proxy", f"{HOST}:{web}") as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.endswith(f" on to {HOST}:{web}\n")
            port = int(line.split("https://")[1].split("/")[0].rpartition(":")[2])
            while "--cacert" not in (hint := process.stdout.readline()):
                assert hint
            fetched = curl(f"https://{HOST}:{port}/x", "--cacert", hint.split("--cacert ")[1].split(" ")[0])
            assert fetched.stdout.startswith(b"/x ")
            process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()

    assert process.returncode == status
    assert said == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["localhost"], "needs a port"),
        (["https://localhost:1"], "speaks plain text"),
        ([""], "is not HOST or HOST:PORT"),
        (["localhost:0"], "is not HOST or HOST:PORT"),
        (["localhost:99999"], "is not HOST or HOST:PORT"),
        (["<script>:x\x1b"], "is not HOST or HOST:PORT"),
        (["localhost:1", "."], "serves no FOLDER"),
        (["localhost:1", "--hidden"], "serves no FOLDER"),
    ],
)
def test_what_cannot_be_passed_on_to_is_wrong_usage(arguments: list[str], words: str) -> None:
    assert_one_line(wiretight("serve", "--self-made", "--proxy", *arguments), words, status=2)


def test_an_address_in_use_is_reported() -> None:
    with socket.create_server((ADDRESS, 0)) as listener:
        port = listener.getsockname()[1]
        result: subprocess.CompletedProcess[str] = wiretight("serve", "--self-made", "--proxy", "x:1", "--port", port)

    assert_one_line(result, f"cannot listen on {ADDRESS} port {port}", "in use")
