"""A client over a socket, which reports what it negotiated."""

import socket
import ssl
from typing import TypedDict

from typing_extensions import assert_type


class Report(TypedDict):
    """What a monitoring program keeps of a connection."""

    version: str | None
    cipher: str
    bits: int
    expires: int


def connect(host: str, port: int = 443, timeout: float | None = 5.0) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"])
    raw = socket.create_connection((host, port), timeout=timeout)
    connection = context.wrap_socket(raw, server_hostname=host)
    assert_type(connection, ssl.SSLSocket)
    return connection


def report(connection: ssl.SSLSocket) -> Report:
    cipher = connection.cipher()
    assert_type(cipher, tuple[str, str, int] | None)
    certificate = connection.getpeercert()
    if cipher is None or certificate is None:
        raise ssl.SSLError("no connection")
    expires = certificate["notAfter"]
    return Report(
        version=connection.version(),
        cipher=cipher[0],
        bits=cipher[2],
        expires=ssl.cert_time_to_seconds(expires) if isinstance(expires, str) else 0,
    )


def download(host: str, path: str) -> bytes:
    with connect(host) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        body = bytearray()
        view = memoryview(bytearray(65536))
        while count := connection.recv_into(view):
            assert_type(count, int)
            body += view[:count]
        connection.unwrap().close()
        return bytes(body)


def describe(connection: ssl.SSLSocket) -> str:
    binding = connection.get_channel_binding("tls-unique")
    assert_type(binding, bytes | None)
    assert_type(connection.getpeercert(True), bytes | None)
    assert_type(connection.getpeercert(binary_form=True), bytes | None)
    assert_type(connection.selected_alpn_protocol(), str | None)
    assert_type(connection.shared_ciphers(), list[tuple[str, str, int]] | None)
    assert_type(connection.compression(), str | None)
    assert_type(connection.pending(), int)
    assert_type(connection.server_side, bool)
    assert_type(connection.server_hostname, str | None)
    assert_type(connection.session_reused, bool | None)
    assert_type(connection.context, ssl.SSLContext)
    assert_type(connection.read(), bytes)
    assert_type(connection.recv(10), bytes)
    assert_type(connection.write(b""), int)
    assert_type(connection.send(memoryview(b"")), int)
    assert_type(connection.fileno(), int)
    return (connection.server_hostname or "").upper()


def wrong(context: ssl.SSLContext, connection: ssl.SSLSocket) -> None:
    """What a checker has to refuse."""
    context.wrap_socket("example.org")  # type: ignore[arg-type]
    connection.sendall("text")  # type: ignore[arg-type]
    connection.nonsense()  # type: ignore[attr-defined]
    connection.version().upper()  # type: ignore[union-attr]
