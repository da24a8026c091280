"""What Python 3.12 removed, and programs for older ones use."""

import socket
import ssl

from typing_extensions import assert_type


def connect(host: str, ca: str) -> ssl.SSLSocket:
    connection = ssl.wrap_socket(
        socket.create_connection((host, 443)), cert_reqs=ssl.CERT_REQUIRED, ca_certs=ca, ssl_version=ssl.PROTOCOL_TLS
    )
    assert_type(connection, ssl.SSLSocket)
    certificate = connection.getpeercert()
    if certificate is not None:
        ssl.match_hostname(certificate, host)
    return connection


def token() -> bytes:
    data, _strong = ssl.RAND_pseudo_bytes(16)
    return data
