import ssl as standard

import pytest

from tests.kit.servers import Server, echo_messages, message
from tests.kit.sockets import receive_exactly
from tests.kit.standard import needs_truncation_errors
from tests.kit.subject import tls


@pytest.fixture(params=[tls, standard], ids=["subject", "std"])
def server_context(request, certificates, version):
    """This file's servers are on both modules."""
    return certificates.server_context(version, module=request.param)


def greet_and_hang_up(server, client_context):
    """Close without close_notify, but with nothing unread: that would make the kernel send RST instead of FIN."""
    with server.connect(client_context) as client:
        client.sendall(b"hello")
        receive_exactly(client, 5)


def test_the_server_echoes_and_closes_cleanly(client_context, server_context):
    with Server(server_context) as server, server.connect(client_context) as client:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
        client.unwrap().close()


def test_the_server_serves_several_clients_at_once(client_context, server_context):
    with Server(server_context) as server:
        clients = [server.connect(client_context) for _ in range(3)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
        for number, client in reversed(list(enumerate(clients))):
            assert client.recv(10) == b"%d" % number
            client.unwrap().close()


def test_a_message_is_echoed_whole(client_context, server_context):
    data = bytes(1_000_000)
    with Server(server_context, echo_messages) as server:
        with server.connect(client_context) as client:
            client.sendall(message(data))
            assert receive_exactly(client, len(message(data))) == message(data)
            client.unwrap()


def test_the_server_reports_what_its_side_saw(client_context, server_context, version):
    with Server(server_context) as server, server.connect(client_context) as client:
        seen = server.next_seen()
        assert seen.version == client.version()
        assert seen.cipher == client.cipher()
        assert seen.alpn is None
        assert seen.certificate is None
        assert not seen.session_reused
        client.unwrap()


def test_an_error_of_a_connection_is_raised_at_the_end(client_context, server_context):
    needs_truncation_errors(server_context)
    with pytest.raises(standard.SSLEOFError):
        with Server(server_context) as server:
            greet_and_hang_up(server, client_context)


def test_an_error_that_the_test_expects_is_not_raised_again(client_context, server_context):
    needs_truncation_errors(server_context)
    with Server(server_context) as server:
        greet_and_hang_up(server, client_context)
        assert isinstance(server.next_error(), standard.SSLEOFError)


def test_an_error_of_the_handler_is_raised_at_the_end(client_context, server_context):
    def handler(sock):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with Server(server_context, handler) as server:
            server.connect(client_context).close()


def test_a_failed_test_does_not_wait_for_the_client(client_context, server_context):
    clients = []

    def fail_with_an_open_client():
        with Server(server_context) as server:
            clients.append(server.connect(client_context))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_with_an_open_client()
    clients[0].close()


def test_a_peer_that_just_closes_can_be_allowed(client_context, server_context):
    with Server(server_context, ragged_eof_ok=True) as server:
        greet_and_hang_up(server, client_context)
