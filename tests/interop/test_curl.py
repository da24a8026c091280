"""curl as the client of a server on the subject."""

import contextlib
import hashlib
import os
import ssl as standard

import pytest

from tests.interop.http import GREETING, answer
from tests.kit.certificates import HOST
from tests.kit.programs import curl
from tests.kit.servers import Server

DATA = os.urandom(10 << 20)

COULD_NOT_VERIFY = 60


@pytest.fixture
def fetch(certificates, version):
    """Runs curl, in this version of TLS, on the root page of a server on loopback."""
    exactly = {
        standard.TLSVersion.TLSv1_2: ["--tlsv1.2", "--tls-max", "1.2"],
        standard.TLSVersion.TLSv1_3: ["--tlsv1.3"],
    }[version]

    def fetch(server, *arguments, **options):
        known = ("--cacert", certificates.ca_file, *exactly)
        return curl(f"https://{HOST}:{server.port}/", *known, *arguments, **options)

    return fetch


def test_curl_fetches_a_page(server_context, version, fetch):
    with Server(server_context, answer) as server:
        page = fetch(server)
        assert (page.returncode, page.stdout) == (0, GREETING), page.stderr
        assert server.next_seen().version == version.name.replace("_", ".")


def test_curl_sends_and_fetches_ten_mebibytes(server_context, fetch):
    with Server(server_context, answer) as server:
        page = fetch(server, "--header", "Expect:", "--data-binary", "@-", data=DATA)
    assert page.returncode == 0, page.stderr
    assert hashlib.sha256(page.stdout).digest() == hashlib.sha256(DATA).digest()


@pytest.mark.parametrize("credentials", ["expired", "server_of_other_ca"])
def test_curl_refuses_a_bad_certificate(certificates, version, fetch, credentials):
    context = certificates.server_context(version, credentials=getattr(certificates, credentials))
    with Server(context, answer) as server:
        assert fetch(server).returncode == COULD_NOT_VERIFY
        assert isinstance(server.next_error(), standard.SSLError)


def test_curl_refuses_a_wrong_host(certificates, version, fetch):
    def hear_nothing(sock):
        # curl looks at the name after the handshake, and hangs up politely or not.
        with contextlib.suppress(OSError):
            assert sock.recv(1) == b""

    context = certificates.server_context(version, credentials=certificates.elsewhere)
    with Server(context, hear_nothing, ragged_eof_ok=True) as server:
        assert fetch(server).returncode == COULD_NOT_VERIFY


def test_curl_sends_the_required_client_certificate(certificates, version, fetch):
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    with Server(context, answer) as server:
        page = fetch(server, "--cert", certificates.client.chain, "--key", certificates.client.key)
        assert (page.returncode, page.stdout) == (0, GREETING), page.stderr
        assert ("email", "client@example.org") in server.next_seen().certificate["subjectAltName"]


def test_curl_has_no_client_certificate(certificates, version, fetch):
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    with Server(context, answer) as server:
        assert fetch(server).returncode != 0
        assert server.next_error().reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"


def test_curl_agrees_on_an_application_protocol(certificates, version, fetch):
    context = certificates.server_context(version, alpn=["http/1.1"])
    with Server(context, answer) as server:
        page = fetch(server, "--http1.1")
        assert page.returncode == 0, page.stderr
        assert server.next_seen().alpn == "http/1.1"
