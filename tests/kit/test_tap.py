from tests.kit.servers import Server
from tests.kit.sockets import connect
from tests.kit.tap import Tap


def test_a_goodbye_is_told_from_data(client_context, server_context):
    with Server(server_context) as server, Tap(server.port) as tap:
        with connect(client_context, ("127.0.0.1", tap.port)) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
            client.unwrap()
    assert tap.goodbyes() == [(True, True)]


def test_silence_is_no_goodbye(client_context, server_context):
    with Server(server_context, ragged_eof_ok=True) as server, Tap(server.port) as tap:
        with connect(client_context, ("127.0.0.1", tap.port)) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
    assert [client for client, _ in tap.goodbyes()] == [False]
