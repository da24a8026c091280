import socket

from tests.kit.certificates import ADDRESS, HOST
from tests.kit.servers import Server
from tests.kit.sockets import connect
from tests.kit.tap import Tap
from tests.kit.threads import Task


def test_close_notify_is_distinguished_from_data(client_context, server_context):
    with Server(server_context) as server, Tap(server.port) as tap:
        with connect(client_context, ("127.0.0.1", tap.port)) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
            client.unwrap()
    assert tap.goodbyes() == [(True, True)]


def test_silence_is_not_a_close_notify(client_context, server_context):
    with Server(server_context, ragged_eof_ok=True) as server, Tap(server.port) as tap:
        with connect(client_context, ("127.0.0.1", tap.port)) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
    assert [client for client, _ in tap.goodbyes()] == [False]


def test_plaintext_before_tls_is_not_a_record(client_context, server_context):
    request = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # PostgreSQL's, to go on in TLS; its answer is one byte

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        assert sock.recv(100) == request
        sock.sendall(b"S")
        with server_context.wrap_socket(sock, server_side=True) as server:
            assert server.recv(100) == b"hello"
            assert server.recv(100) == b""
            server.unwrap()

    with socket.create_server((ADDRESS, 0)) as listener, Tap(listener.getsockname()[1]) as tap:
        serving = Task(serve, listener)
        sock = socket.create_connection((ADDRESS, tap.port))
        sock.sendall(request)
        assert sock.recv(100) == b"S"
        with client_context.wrap_socket(sock, server_hostname=HOST) as client:
            client.sendall(b"hello")
            client.unwrap()
        serving.result()
    assert tap.goodbyes() == [(True, True)]
