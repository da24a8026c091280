"""Sockets: the subject and the standard `ssl`, in both roles, in every mode of blocking."""

import hashlib
import os
import socket
import ssl as standard

import pytest

from tests.kit.certificates import ELSEWHERE, HOST
from tests.kit.deliveries import Relay
from tests.kit.servers import Server, echo_messages, message
from tests.kit.sockets import driven, receive_all, receive_exactly, send_all, tcp_pair, tls_sockets
from tests.kit.standard import needs_truncation_errors
from tests.kit.threads import Task

MIB = 1 << 20


def test_a_verified_connection(peers, mode):
    with Server(peers.server_context()) as server:
        with server.connect(peers.client_context(), mode=mode) as client:
            send_all(client, b"hello")
            assert receive_exactly(client, 5) == b"hello"
            assert ("DNS", "localhost") in client.getpeercert()["subjectAltName"]
            seen = server.next_seen()
            assert client.version() == seen.version == peers.version.name.replace("_", ".")
            assert client.cipher() == seen.cipher
            driven(client, client.unwrap)


def test_both_ends_in_the_same_mode(peers, mode):
    with tls_sockets(peers.client_context(), peers.server_context(), mode=mode) as (client, server):
        for near, far in ((client, server), (server, client)):
            sending = Task(send_all, near, bytes(MIB))
            assert receive_exactly(far, MIB) == bytes(MIB)
            sending.result()


def test_ten_mebibytes_both_ways(peers, mode):
    data = os.urandom(10 * MIB)
    with Server(peers.server_context(), echo_messages) as server:
        with server.connect(peers.client_context(), mode=mode) as client:
            send_all(client, message(data))
            echoed = receive_exactly(client, len(message(data)))
            assert hashlib.sha256(echoed).digest() == hashlib.sha256(message(data)).digest()
            driven(client, client.unwrap)


def test_data_of_every_size(peers, mode, delivery):
    data = os.urandom(1000)
    with Relay(delivery) as relay:
        with tls_sockets(
            peers.client_context(), peers.server_context(), mode=mode, transport=lambda: (relay.client, relay.server)
        ) as (client, server):
            for near, far in ((client, server), (server, client)):
                sending = Task(send_all, near, data)
                assert receive_exactly(far, len(data)) == data
                sending.result()


def test_a_makefile_reads_lines(peers):
    with Server(peers.server_context()) as server, server.connect(peers.client_context()) as client:
        with client.makefile("rwb") as stream:
            stream.write(b"one\ntwo\n")
            stream.flush()
            assert (stream.readline(), stream.readline()) == (b"one\n", b"two\n")
        client.unwrap()


@pytest.mark.parametrize(
    ("credentials", "verify_code", "alert"),
    [
        ("elsewhere", 62, "ALERT_BAD_CERTIFICATE"),
        ("expired", 10, "ALERT_CERTIFICATE_EXPIRED"),
        ("server_of_other_ca", 20, "ALERT_UNKNOWN_CA"),
    ],
)
def test_a_bad_certificate_is_refused(peers, certificates, mode, credentials, verify_code, alert):
    context = peers.server_context(credentials=getattr(certificates, credentials))
    with Server(context) as server:
        with pytest.raises(standard.SSLCertVerificationError) as refused:
            server.connect(peers.client_context(), mode=mode)
        assert alert in server.next_error().reason
    assert refused.value.verify_code == verify_code


def test_a_required_client_certificate_is_accepted(peers, certificates, mode):
    with Server(peers.server_context(client_ca=certificates.ca_file)) as server:
        with server.connect(peers.client_context(credentials=certificates.client), mode=mode) as client:
            send_all(client, b"hello")
            assert receive_exactly(client, 5) == b"hello"
            assert ("email", "client@example.org") in server.next_seen().certificate["subjectAltName"]
            driven(client, client.unwrap)


def test_a_missing_client_certificate_is_rejected(peers, certificates, mode):
    def connect_and_read():
        # TLS 1.3 lets the client finish its handshake before the server has looked for its certificate.
        with server.connect(peers.client_context(), mode=mode) as client:
            driven(client, client.recv, 1)

    with Server(peers.server_context(client_ca=certificates.ca_file)) as server:
        with pytest.raises(standard.SSLError) as refused:
            connect_and_read()
        assert server.next_error().reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    assert "ALERT" in refused.value.reason


def test_a_client_certificate_of_an_unknown_ca_is_rejected(peers, certificates):
    def connect_and_read():
        with server.connect(peers.client_context(credentials=certificates.client_of_other_ca)) as client:
            client.recv(1)

    with Server(peers.server_context(client_ca=certificates.ca_file)) as server:
        with pytest.raises(standard.SSLError) as refused:
            connect_and_read()
        assert isinstance(server.next_error(), standard.SSLCertVerificationError)
    assert "ALERT_UNKNOWN_CA" in refused.value.reason


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [(["h2", "http/1.1"], ["http/1.1", "h2"], "http/1.1"), (["h2"], ["http/1.1"], None), ([], ["h2"], None)],
)
def test_alpn_selects_a_common_protocol_in_the_servers_order(peers, offered, known, chosen):
    with Server(peers.server_context(alpn=known)) as server:
        with server.connect(peers.client_context(alpn=offered)) as client:
            assert client.selected_alpn_protocol() == server.next_seen().alpn == chosen
            client.unwrap()


def test_sni_switches_to_the_context_of_that_name(peers, certificates):
    asked = []
    first, second = peers.server_context(), peers.server_context(credentials=certificates.elsewhere)

    def switch(sock, name, context):
        asked.append((name, context is first))
        sock.context = second

    first.sni_callback = switch
    with Server(first) as server:
        with server.connect(peers.client_context(), server_hostname=ELSEWHERE) as client:
            assert ("DNS", ELSEWHERE) in client.getpeercert()["subjectAltName"]
            client.unwrap()
    assert asked == [(ELSEWHERE, True)]


def test_sni_can_reject_with_an_alert(peers):
    context = peers.server_context()
    context.sni_callback = lambda sock, name, context: standard.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    with Server(context) as server:
        with pytest.raises(standard.SSLError) as refused:
            server.connect(peers.client_context())
        assert server.next_error().reason == "CALLBACK_FAILED"
    assert "UNRECOGNIZED_NAME" in refused.value.reason


def test_a_session_is_resumed(peers, mode):
    context = peers.client_context()

    def session_of_a_connection(known, *, reused):
        with server.connect(context, mode=mode, session=known) as client:
            # The ticket of TLS 1.3 arrives with the first data.
            send_all(client, b"hello")
            assert receive_exactly(client, 5) == b"hello"
            assert client.session_reused == server.next_seen().session_reused == reused
            session = client.session
            driven(client, client.unwrap)
            return session

    with Server(peers.server_context()) as server:
        session = session_of_a_connection(None, reused=False)
        session_of_a_connection(session, reused=True)


def test_both_sides_unwrap_cleanly_to_their_sockets(peers, mode):
    with tls_sockets(peers.client_context(), peers.server_context(), mode=mode) as (client, server):
        closing = Task(driven, client, client.unwrap)
        assert driven(server, server.recv, 1) == b""
        plain_server = driven(server, server.unwrap)
        plain_client = closing.result()
        plain_client.settimeout(None)
        plain_server.settimeout(None)
        plain_client.sendall(b"no longer a secret")
        assert plain_server.recv(100) == b"no longer a secret"


def test_data_before_the_close_is_not_lost(peers, mode):
    with Server(peers.server_context(), lambda sock: sock.sendall(b"last words")) as server:
        with server.connect(peers.client_context(), mode=mode) as client:
            assert receive_all(client) == b"last words"
            driven(client, client.unwrap)


def test_a_truncated_stream_differs_from_a_closed_one(peers, mode):
    needs_truncation_errors(peers.client_context())
    with Server(peers.server_context(), lambda sock: sock.sendall(b"half"), ragged_eof_ok=True) as server:
        with server.connect(peers.client_context(), mode=mode, suppress_ragged_eofs=False) as client:
            assert receive_exactly(client, 4) == b"half"
            with pytest.raises(standard.SSLEOFError):
                driven(client, client.recv, 1)


def test_a_truncated_stream_is_an_ordinary_end_if_suppressed(peers, mode):
    with Server(peers.server_context(), lambda sock: sock.sendall(b"half"), ragged_eof_ok=True) as server:
        with server.connect(peers.client_context(), mode=mode) as client:
            assert receive_all(client) == b"half"


def test_a_client_without_tls_is_rejected(peers):
    with Server(peers.server_context()) as server:
        with socket.create_connection(server.address) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert server.next_error().reason == "HTTP_REQUEST"


def test_a_server_without_tls_is_rejected(peers, mode):
    client, server = tcp_pair()
    with client, server:
        server.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        client.settimeout(mode.timeout)
        with peers.client_context().wrap_socket(client, server_hostname=HOST, do_handshake_on_connect=False) as sock:
            with pytest.raises(standard.SSLError) as refused:
                driven(sock, sock.do_handshake)
    assert refused.value.reason == "WRONG_VERSION_NUMBER"


def test_two_sides_without_a_common_version_fail(peers, certificates):
    (other,) = {standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3} - {peers.version}
    with Server(certificates.server_context(other, module=peers.server_module)) as server:
        with pytest.raises(standard.SSLError) as refused:
            server.connect(peers.client_context())
        assert server.next_error().reason in {"UNSUPPORTED_PROTOCOL", "NO_SHARED_CIPHER"}
    assert "ALERT" in refused.value.reason
