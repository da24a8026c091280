"""http.client and urllib over a context passed to them, and http.server with one."""

import contextlib
import hashlib
import http.client
import http.server
import os
import ssl as standard
import threading
import urllib.error
import urllib.request

import pytest

from tests.kit.certificates import ADDRESS, HOST
from tests.kit.threads import PATIENCE

DATA = os.urandom(2 << 20)


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Its default, to read what a client still sends, waits for ever for one that keeps the connection open.
    timeout = PATIENCE

    def do_GET(self):
        self.answer(DATA)

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    # Its threads are waited for, and its errors are the clients' refusals that the tests ask for.
    daemon_threads = False

    def handle_error(self, request, client_address):
        pass


@contextlib.contextmanager
def https_server(context):
    with QuietServer((ADDRESS, 0), Page) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), name="https")
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_http_client_keeps_one_connection(peers):
    with https_server(peers.server_context()) as port:
        with contextlib.closing(
            http.client.HTTPSConnection(HOST, port, context=peers.client_context(), timeout=PATIENCE)
        ) as connection:
            for _ in range(3):
                connection.request("POST", "/", body=DATA)
                with connection.getresponse() as response:
                    assert response.status == http.HTTPStatus.OK
                    assert digest(response.read()) == digest(DATA)


def test_urllib_fetches_a_page(peers):
    with https_server(peers.server_context()) as port:
        with urllib.request.urlopen(
            f"https://{HOST}:{port}/", context=peers.client_context(), timeout=PATIENCE
        ) as page:
            assert digest(page.read()) == digest(DATA)


@pytest.mark.parametrize("credentials", ["elsewhere", "expired", "server_of_other_ca"])
def test_urllib_refuses_a_bad_certificate(peers, certificates, credentials):
    context = peers.server_context(credentials=getattr(certificates, credentials))
    with https_server(context) as port:
        with pytest.raises(urllib.error.URLError) as refused:
            urllib.request.urlopen(f"https://{HOST}:{port}/", context=peers.client_context(), timeout=PATIENCE)
    assert isinstance(refused.value.reason, standard.SSLCertVerificationError)
