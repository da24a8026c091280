import socket
import ssl as standard

import pytest

from tests.kit.certificates import ELSEWHERE
from tests.kit.deliveries import Relay
from tests.kit.sockets import (
    NON_BLOCKING,
    TRANSPORTS,
    driven,
    free_port,
    receive_all,
    receive_exactly,
    send_all,
    tls_sockets,
    unix_pair,
)
from tests.kit.threads import Task

DATA = bytes(range(256)) * 8000


@pytest.fixture(params=TRANSPORTS, ids=lambda transport: transport.__name__)
def transport(request):
    return request.param


def test_a_plain_pair_is_connected_both_ways(transport):
    client, server = transport()
    with client, server:
        client.sendall(b"ping")
        assert server.recv(10) == b"ping"
        server.sendall(b"pong")
        assert client.recv(10) == b"pong"


def test_a_free_port_is_none_that_the_system_gives_to_others():
    lowest_given = min(listening_port(0) for _ in range(100))
    for _ in range(100):
        port = free_port()
        assert port < lowest_given
        assert listening_port(port) == port


def listening_port(wanted):
    with socket.create_server(("", wanted)) as listener:
        return listener.getsockname()[1]


def test_tls_sockets_are_connected_both_ways(client_context, server_context, mode, transport):
    with tls_sockets(client_context, server_context, mode=mode, transport=transport) as (client, server):
        assert client.gettimeout() == server.gettimeout() == mode.timeout
        for near, far in ((client, server), (server, client)):
            send_all(near, b"hello")
            assert receive_exactly(far, 5) == b"hello"


def test_more_data_than_the_socket_buffers_can_hold(client_context, server_context, mode):
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        receiving = Task(receive_exactly, server, len(DATA))
        send_all(client, DATA)
        assert receiving.result() == DATA


def test_receive_all_ends_with_the_stream(client_context, server_context, mode):
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        closing = Task(driven, client, client.unwrap)
        assert receive_all(server) == b""
        driven(server, server.unwrap)
        closing.result()


def test_driven_waits_until_the_socket_is_ready(client_context, server_context):
    with tls_sockets(client_context, server_context, mode=NON_BLOCKING) as (client, server):
        receiving = Task(driven, server, server.recv, 10)
        with pytest.raises(AssertionError):
            receiving.result(patience=0)
        send_all(client, b"at last")
        assert receiving.result() == b"at last"


def test_the_handshake_raises_the_failing_sides_error(certificates, server_context, version):
    with pytest.raises(standard.SSLCertVerificationError):
        with tls_sockets(certificates.client_context(version), server_context, server_hostname=ELSEWHERE):
            pass


def test_sockets_over_a_relay(client_context, server_context, mode, delivery):
    with Relay(delivery) as relay:
        with tls_sockets(client_context, server_context, mode=mode, transport=lambda: (relay.client, relay.server)) as (
            client,
            server,
        ):
            for near, far in ((client, server), (server, client)):
                sending = Task(send_all, near, DATA[:2000])
                assert receive_exactly(far, 2000) == DATA[:2000]
                sending.result()


def test_a_broken_test_closes_both_ends(client_context, server_context):
    with pytest.raises(ZeroDivisionError):
        with tls_sockets(client_context, server_context, transport=unix_pair) as (client, server):
            raise ZeroDivisionError
    assert client.fileno() == server.fileno() == -1
