"""A server that gives each connection a thread, and shakes hands there."""

import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from typing_extensions import assert_type

Handler = Callable[[ssl.SSLSocket], None]


def server_context(
    certfile: str | os.PathLike[str], keyfile: Path, password: str | Callable[[], str] | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certfile, keyfile, password)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_DH_USE
    context.set_ciphers("ECDHE+AESGCM")
    context.set_ecdh_curve("prime256v1")
    assert_type(context.options, ssl.Options)
    return context


def require_clients(context: ssl.SSLContext, ca: Path) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=ca)
    context.load_verify_locations(cadata=ca.read_bytes())
    context.load_verify_locations(cadata=ca.read_text())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.post_handshake_auth = True


def serve(listener: socket.socket, context: ssl.SSLContext, handler: Handler) -> None:
    with context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False) as server:
        while True:
            connection, address = server.accept()
            assert_type(connection, ssl.SSLSocket)
            print("from", address)
            threading.Thread(target=one, args=(connection, handler), daemon=True).start()


def one(connection: ssl.SSLSocket, handler: Handler) -> None:
    connection.settimeout(10)
    try:
        connection.do_handshake()
        handler(connection)
        connection.verify_client_post_handshake()
    except ssl.SSLCertVerificationError as error:
        print(error.verify_code, error.verify_message)
    except (ssl.SSLError, OSError) as error:
        print(error)
    finally:
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def echo(connection: ssl.SSLSocket) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


def send_file(connection: ssl.SSLSocket, path: Path) -> int:
    with path.open("rb") as file, connection.makefile("rwb") as stream:
        stream.write(b"file follows\n")
        stream.flush()
        return connection.sendfile(file, 0, None)
