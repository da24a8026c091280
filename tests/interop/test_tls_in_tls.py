"""TLS in TLS with others: an HTTPS proxy, and behind it, or in front of it, programs on a TLS of their own."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import ssl as standard
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interop.test_http import DATA, https_server
from tests.kit.certificates import HOST, Certificates
from tests.kit.deliveries import Relay
from tests.kit.programs import OpenSSLServer, curl
from tests.kit.proxies import connect_request, read_head, tunnel
from tests.kit.servers import Server
from tests.kit.sockets import Mode, connect, driven, handshake, receive_all, receive_exactly, send_all
from tests.kit.subject import NAME
from tests.kit.threads import PATIENCE, Task

pytestmark = pytest.mark.skipif(NAME == "ssl", reason="wrap_socket() of `ssl` drops the TLS of an SSLSocket")

# Each version in each version.
OUTSIDE = [standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3]


@pytest.fixture(params=OUTSIDE, ids=["in-tls12", "in-tls13"])
def outside(request: pytest.FixtureRequest) -> standard.TLSVersion:
    """The version that the proxy speaks."""
    return request.param


@pytest.fixture
def proxy(certificates: Certificates, outside: standard.TLSVersion) -> Iterator[Server]:
    with Server(certificates.server_context(outside), tunnel, ragged_eof_ok=True, errors_ok=True) as server:
        yield server


@pytest.fixture
def through(
    certificates: Certificates, client_context: Any, outside: standard.TLSVersion, proxy: Server, mode: Mode
) -> Callable[[tuple[str, int]], Any]:
    """Connects to an address through the proxy, and shakes hands with what is there."""

    def connected(address: tuple[str, int]) -> Any:
        carrier = connect(certificates.client_context(outside), proxy.address, mode=mode)
        send_all(carrier, connect_request(address))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += receive_exactly(carrier, 1)
        assert head.startswith(b"HTTP/1.1 200 ")
        inside = client_context.wrap_socket(carrier, server_hostname=HOST, do_handshake_on_connect=False)
        with contextlib.ExitStack() as refused:
            refused.enter_context(inside)
            driven(inside, inside.do_handshake)
            refused.pop_all()
        return inside

    return connected


# --- Clients ----------------------------------------------------------------------------------------------------------


def test_lines_from_openssl_through_a_proxy(certificates, version, through):
    with OpenSSLServer(certificates.server, version, "-rev") as server:
        with through(server.address) as client:
            for _ in range(3):
                send_all(client, b"desserts\n")
                assert receive_exactly(client, 9) == b"stressed\n"
            assert client.version() == version.name.replace("_", ".")


def test_ten_mebibytes_from_openssl_through_a_proxy(certificates, version, through, tmp_path):
    data = os.urandom(10 << 20)
    (tmp_path / "data").write_bytes(b"HTTP/1.1 200 OK\r\n\r\n" + data)
    with OpenSSLServer(certificates.server, version, "-HTTP", folder=tmp_path) as server:
        with through(server.address) as client:
            send_all(client, b"GET /data HTTP/1.1\r\n\r\n")
            _, _, body = receive_all(client).partition(b"\r\n\r\n")
            assert hashlib.sha256(body).digest() == hashlib.sha256(data).digest()


def test_openssl_echoes_in_full_duplex_through_a_proxy(certificates, version, through):
    """`s_server -rev` reverses line after line, while more of them are on their way."""
    lines = [os.urandom(500).hex().encode() for _ in range(2000)]
    with OpenSSLServer(certificates.server, version, "-rev") as server:
        with through(server.address) as client:
            sending = Task(send_all, client, b"".join(line + b"\n" for line in lines))
            received = receive_exactly(client, sum(len(line) + 1 for line in lines))
            sending.result()
    assert received == b"".join(line[::-1] + b"\n" for line in lines)


@pytest.mark.parametrize(("credentials", "verify_code"), [("elsewhere", 62), ("server_of_other_ca", 20)])
def test_a_bad_certificate_behind_the_proxy_is_refused(certificates, version, through, credentials, verify_code):
    with OpenSSLServer(getattr(certificates, credentials), version, "-rev") as server:
        with pytest.raises(standard.SSLCertVerificationError) as refused, through(server.address):
            pass
    assert refused.value.verify_code == verify_code


class ThroughHTTPSProxy(http.client.HTTPSConnection):
    """HTTPSConnection with set_tunnel(), whose proxy speaks TLS too."""

    def __init__(self, proxy: tuple[str, int], proxy_context: Any, **options: Any) -> None:
        super().__init__(*proxy, timeout=PATIENCE, **options)
        self._create_connection = lambda address, *_: proxy_context.wrap_socket(
            socket.create_connection(address, PATIENCE), server_hostname=HOST
        )


def test_http_client_with_set_tunnel(certificates, client_context, server_context, outside, proxy):
    with https_server(server_context) as port:
        connection = ThroughHTTPSProxy(proxy.address, certificates.client_context(outside), context=client_context)
        connection.set_tunnel(HOST, port)
        with contextlib.closing(connection):
            for _ in range(3):
                connection.request("POST", "/", body=DATA)
                with connection.getresponse() as response:
                    assert response.status == http.HTTPStatus.OK
                    assert hashlib.sha256(response.read()).digest() == hashlib.sha256(DATA).digest()
            assert connection.sock.version() == client_context.maximum_version.name.replace("_", ".")


# --- Servers ----------------------------------------------------------------------------------------------------------


def test_curl_through_our_proxy_that_is_the_server_too(certificates, server_context, version, outside, mode):
    """curl's own TLS in TLS, on both of ours in one socket."""

    def answer(sock: Any) -> None:
        assert read_head(sock).startswith(b"CONNECT nowhere.example:443 ")
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        inside = server_context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        with inside:
            inside.settimeout(mode.timeout)
            driven(inside, inside.do_handshake)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += receive_exactly(inside, 1)
            assert head.startswith(b"GET /data ")
            send_all(inside, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DATA) + DATA)
            receive_all(inside)

    with Server(certificates.server_context(outside), answer, ragged_eof_ok=True) as server:
        fetched = curl(
            "https://nowhere.example/data",
            "--proxy", f"https://{HOST}:{server.port}",
            "--proxy-cacert", certificates.ca_file, "--cacert", certificates.ca_file, "--insecure", "--noproxy", "",
        )  # fmt: skip
        assert fetched.returncode == 0, fetched.stderr
        assert hashlib.sha256(fetched.stdout).digest() == hashlib.sha256(DATA).digest()
        seen = server.next_seen()
        assert seen.version == outside.name.replace("_", ".")


# --- The standard library at the other end ----------------------------------------------------------------------------


class Nested:
    """TLS in TLS as the standard library can do it: an SSLObject over memory BIOs, carried by an SSLSocket."""

    def __init__(self, carrier: Any, context: Any, **options: Any) -> None:
        self.carrier = carrier
        self.incoming, self.outgoing = standard.MemoryBIO(), standard.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **options)

    def call(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        while True:
            try:
                result = operation(*arguments)
            except standard.SSLWantReadError:
                self._flush()
                self.incoming.write(self.carrier.recv(65536))
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self.outgoing.pending:
            self.carrier.sendall(self.outgoing.read())

    def echo_and_unwrap(self) -> None:
        """What comes, until the other end says that nothing follows; then a word on the connection outside."""
        self.call(self.tls.do_handshake)
        with contextlib.suppress(standard.SSLZeroReturnError):
            while data := self.call(self.tls.read, 65536):
                self.call(self.tls.write, data)
        self.call(self.tls.unwrap)
        self.carrier.sendall(b"outside")


@pytest.mark.parametrize("role", ["client", "server"])
def test_the_standard_library_nests_objects_and_we_sockets(certificates, version, outside, delivery, role):
    data = os.urandom(1000)
    with Relay(delivery) as relay:
        modules = (
            {"server_context": {"module": standard}} if role == "client" else {"client_context": {"module": standard}}
        )
        contexts = {
            (side, layer): getattr(certificates, side)(layer, **modules.get(side, {}))
            for side in ("client_context", "server_context")
            for layer in (outside, version)
        }
        as_client, as_server = {"server_hostname": HOST}, {"server_side": True}
        later = {"do_handshake_on_connect": False}
        client = contexts["client_context", outside].wrap_socket(relay.client, **as_client, **later)
        server = contexts["server_context", outside].wrap_socket(relay.server, **as_server, **later)
        with client, server:
            handshake(client, server)
            if role == "client":
                sock = contexts["client_context", version].wrap_socket(client, **as_client, **later)
                other = Nested(server, contexts["server_context", version], **as_server)
            else:
                sock = contexts["server_context", version].wrap_socket(server, **as_server, **later)
                other = Nested(client, contexts["client_context", version], **as_client)
            with sock:
                echoing = Task(other.echo_and_unwrap)
                sock.do_handshake()
                for size in (1, 10, 1000):
                    sock.sendall(data[:size])
                    assert receive_exactly(sock, size) == data[:size]
                with sock.unwrap() as carrier:
                    assert receive_exactly(carrier, 7) == b"outside"
                echoing.result()
