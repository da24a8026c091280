"""The subject with `openssl s_client` and `openssl s_server`."""

import hashlib
import os
import ssl as standard

import pytest

from tests.kit.caches import Cache
from tests.kit.certificates import ELSEWHERE
from tests.kit.programs import OpenSSLClient, OpenSSLServer
from tests.kit.servers import Server
from tests.kit.sockets import connect, driven, receive_all, receive_exactly, send_all

DATA = os.urandom(10 << 20)


# --- the subject is the client -----------------------------------------------------------------------------------


def test_a_verified_connection_to_openssl(certificates, client_context, version, mode):
    with OpenSSLServer(certificates.server, version, "-rev") as server:
        with connect(client_context, server.address, mode=mode) as client:
            send_all(client, b"desserts\n")
            assert receive_exactly(client, 9) == b"stressed\n"
            assert client.version() == version.name.replace("_", ".")
            driven(client, client.unwrap)


def test_ten_mebibytes_from_openssl(certificates, client_context, version, mode, tmp_path):
    (tmp_path / "data").write_bytes(b"HTTP/1.1 200 OK\r\n\r\n" + DATA)
    with OpenSSLServer(certificates.server, version, "-HTTP", folder=tmp_path) as server:
        with connect(client_context, server.address, mode=mode) as client:
            send_all(client, b"GET /data HTTP/1.1\r\n\r\n")
            _, _, body = receive_all(client).partition(b"\r\n\r\n")
            assert hashlib.sha256(body).digest() == hashlib.sha256(DATA).digest()


@pytest.mark.parametrize(
    ("credentials", "verify_code"), [("elsewhere", 62), ("expired", 10), ("server_of_other_ca", 20)]
)
def test_a_bad_certificate_of_openssl_is_rejected(certificates, client_context, version, credentials, verify_code):
    with OpenSSLServer(getattr(certificates, credentials), version, "-rev") as server:
        with pytest.raises(standard.SSLCertVerificationError) as refused:
            connect(client_context, server.address)
    assert refused.value.verify_code == verify_code


def test_openssl_requires_a_client_certificate_and_gets_it(certificates, version, mode):
    context = certificates.client_context(version, credentials=certificates.client)
    demand = ("-Verify", 1, "-CAfile", certificates.ca_file, "-verify_return_error")
    with OpenSSLServer(certificates.server, version, "-rev", *demand) as server:
        with connect(context, server.address, mode=mode) as client:
            send_all(client, b"desserts\n")
            assert receive_exactly(client, 9) == b"stressed\n"
            driven(client, client.unwrap)


def test_openssl_rejects_a_missing_client_certificate(certificates, client_context, version, mode):
    def connect_and_read():
        with connect(client_context, server.address, mode=mode) as client:
            driven(client, client.recv, 1)

    demand = ("-Verify", 1, "-CAfile", certificates.ca_file, "-verify_return_error")
    with OpenSSLServer(certificates.server, version, "-rev", *demand) as server:
        with pytest.raises(standard.SSLError, match="ALERT"):
            connect_and_read()


def test_openssl_chooses_an_application_protocol(certificates, version):
    context = certificates.client_context(version, alpn=["h2", "http/1.1"])
    with OpenSSLServer(certificates.server, version, "-rev", "-alpn", "http/1.1") as server:
        with connect(context, server.address) as client:
            assert client.selected_alpn_protocol() == "http/1.1"
            client.unwrap()


def test_openssl_switches_the_certificate_by_name(certificates, client_context, version):
    other = ("-servername", ELSEWHERE, "-cert2", certificates.elsewhere.chain, "-key2", certificates.elsewhere.key)
    with OpenSSLServer(certificates.server, version, "-rev", *other) as server:
        with connect(client_context, server.address, server_hostname=ELSEWHERE) as client:
            assert ("DNS", ELSEWHERE) in client.getpeercert()["subjectAltName"]
            client.unwrap()


def test_a_session_of_openssl_is_resumed(certificates, client_context, version):
    def session_of_a_connection(known, *, reused):
        with connect(client_context, server.address, session=known) as client:
            client.sendall(b"desserts\n")
            assert receive_exactly(client, 9) == b"stressed\n"
            assert client.session_reused == reused
            session = client.session
            client.unwrap()
            return session

    with OpenSSLServer(certificates.server, version, "-rev") as server:
        session = session_of_a_connection(None, reused=False)
        session = session_of_a_connection(client_context.load_session(session.to_bytes()), reused=True)
        session_of_a_connection(session, reused=True)


def test_openssl_dies_in_the_middle(certificates, client_context, version, mode):
    with OpenSSLServer(certificates.server, version, "-rev") as server:
        with connect(client_context, server.address, mode=mode, suppress_ragged_eofs=False) as client:
            send_all(client, b"desserts\n")
            assert receive_exactly(client, 9) == b"stressed\n"
            server.process.kill()
            with pytest.raises(standard.SSLEOFError):
                driven(client, client.recv, 1)


# --- the subject is the server -----------------------------------------------------------------------------------


def test_a_verified_connection_of_openssl(certificates, server_context, version):
    with Server(server_context) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version) as client:
            client.line_with("Verify return code: 0 (ok)")
            client.say(b"hello\n")
            client.line_with("hello")
            client.end_of_input()
            assert client.wait() == 0
        assert server.next_seen().version == version.name.replace("_", ".")


def test_ten_mebibytes_of_openssl(certificates, server_context, version):
    def digest(sock):
        sock.sendall(hashlib.sha256(receive_exactly(sock, len(DATA))).hexdigest().encode() + b"\n")

    with Server(server_context, digest) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version, "-quiet") as client:
            client.say(DATA)
            client.line_with(hashlib.sha256(DATA).hexdigest())
            assert client.wait() == 0


@pytest.mark.parametrize(
    ("credentials", "verify_code", "alert"),
    [
        ("elsewhere", 62, "ALERT_BAD_CERTIFICATE"),
        ("expired", 10, "ALERT_CERTIFICATE_EXPIRED"),
        ("server_of_other_ca", 20, "ALERT_UNKNOWN_CA"),
    ],
)
def test_openssl_refuses_a_bad_certificate(certificates, version, credentials, verify_code, alert):
    context = certificates.server_context(version, credentials=getattr(certificates, credentials))
    with Server(context) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version) as client:
            client.line_with(f"verify error:num={verify_code}:")
            assert client.wait() == 1
        assert alert in server.next_error().reason


def test_openssl_sends_the_required_client_certificate(certificates, version):
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    own = ("-cert", certificates.client.chain, "-key", certificates.client.key)
    with Server(context) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version, *own) as client:
            client.say(b"hello\n")
            client.line_with("hello")
            client.end_of_input()
            assert client.wait() == 0
        assert ("email", "client@example.org") in server.next_seen().certificate["subjectAltName"]


def test_openssl_has_no_client_certificate(certificates, version):
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    with Server(context) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version) as client:
            client.line_with("alert")
            assert client.wait() == 1
        assert server.next_error().reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"


def test_openssl_uses_the_negotiated_application_protocol(certificates, version):
    context = certificates.server_context(version, alpn=["http/1.1"])
    with Server(context) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version, "-alpn", "h2,http/1.1") as client:
            client.line_with("ALPN protocol: http/1.1")
            client.end_of_input()
            assert client.wait() == 0
        assert server.next_seen().alpn == "http/1.1"


def test_openssl_gets_the_context_of_the_requested_name(certificates, server_context, version):
    other = certificates.server_context(version, credentials=certificates.elsewhere)

    def switch(sock, name, context):
        sock.context = other

    server_context.sni_callback = switch
    with Server(server_context) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version, server_hostname=ELSEWHERE) as client:
            client.line_with("Verify return code: 0 (ok)")
            client.end_of_input()
            assert client.wait() == 0


@pytest.mark.parametrize("cache", [None, Cache()], ids=["tickets", "a cache"])
def test_openssl_resumes_a_session(certificates, server_context, version, tmp_path, cache):
    server_context.server_session_cache = cache
    session_file = tmp_path / "session"

    def one_connection(option, outcome):
        with OpenSSLClient(server.port, certificates.ca_file, version, option, session_file) as client:
            client.line_with(outcome)
            client.say(b"hello\n")
            client.line_with("hello")
            client.end_of_input()
            assert client.wait() == 0
        return server.next_seen().session_reused

    with Server(server_context) as server:
        assert not one_connection("-sess_out", "New, TLSv1")
        assert one_connection("-sess_in", "Reused, TLSv1")


def test_openssl_is_killed_in_the_middle(certificates, server_context, version):
    with Server(server_context) as server:
        with OpenSSLClient(server.port, certificates.ca_file, version) as client:
            client.say(b"hello\n")
            client.line_with("hello")
            client.process.kill()
            assert isinstance(server.next_error(), standard.SSLEOFError)
