"""What wiretight exports equals what other implementations of TLS export of the same connection."""

from __future__ import annotations

import re
import ssl as standard
from pathlib import Path
from typing import Any

import pytest

from tests.interop.peers.golang import Go
from tests.interop.peers.node import Node
from tests.interop.peers.peer import Peer, send_back
from tests.interop.peers.terms import Terms, lines_of_digits
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.programs import OpenSSLClient, OpenSSLServer, Process, program
from tests.kit.servers import Server
from tests.kit.sockets import connect

LABEL = "EXPERIMENTAL wiretight tests"
CONTEXT = b"a context"  # which the programs for terminals cannot pass

PEERS = pytest.mark.parametrize("peer", [Go(), Node()], ids=lambda peer: peer.name)


class Exporting:
    """A server's handler: sends back what it reads, and keeps what it exported."""

    def __init__(self, size: int, *context: bytes) -> None:
        self.size = size
        self.context = context
        self.exported: list[str] = []

    def __call__(self, sock: Any) -> None:
        self.exported.append(sock.export_keying_material(LABEL, self.size, *self.context).hex())
        while data := sock.recv(1000):
            sock.sendall(data)


def met(peer: Peer, version: standard.TLSVersion) -> None:
    if missing := peer.missing():
        pytest.skip(missing)
    if peer.name == "Go" and version == standard.TLSVersion.TLSv1_2 and peer.version().split(".")[:2] < ["1", "21"]:
        pytest.skip("TLS 1.2 of Go has had the extended master secret since Go 1.21")


def printed(text: str) -> str:
    """The last number in hexadecimal digits."""
    return re.findall(r"[0-9A-Fa-f]{32,}", text)[-1].lower()


@pytest.mark.parametrize("size", [20, 100])
def test_openssl_as_a_client_exports_the_same(certificates, server_context, version, size):
    ours = Exporting(size)
    with Server(server_context, ours) as server:
        options = ("-keymatexport", LABEL, "-keymatexportlen", size)
        with OpenSSLClient(server.port, certificates.ca_file, version, *options) as client:
            theirs = printed(client.line_with("Keying material: "))
            client.end_of_input()
            client.wait()
    assert ours.exported == [theirs]


def test_openssl_as_a_server_exports_the_same(certificates, client_context, version):
    options = ("-keymatexport", LABEL, "-keymatexportlen", 48)
    with OpenSSLServer(certificates.server, version, *options) as server:
        with connect(client_context, server.address) as client:
            assert client.export_keying_material(LABEL, 48).hex() == printed(server.line_with("Keying material: "))
            client.unwrap()


def test_gnutls_as_a_client_exports_the_same(certificates, server_context):
    program("gnutls-cli", "gnutls-bin")
    ours = Exporting(32)
    with Server(server_context, ours) as server:
        options = ("--x509cafile", certificates.ca_file, "--sni-hostname", HOST, "--verify-hostname", HOST)
        options += ("--keymatexport", LABEL, "--keymatexportsize", "32", "--port", server.port)
        with Process("gnutls-cli", *options, ADDRESS) as client:
            theirs = printed(client.line_with("Key material: "))
            client.end_of_input()
            client.wait()
    assert ours.exported == [theirs]


@PEERS
def test_the_client_exports_the_same_with_a_context(certificates, server_context, version, peer, tmp_path: Path):
    met(peer, version)
    terms = Terms(certificates, version, tmp_path, lines_of_digits(1))
    ours = []

    def serve(sock: Any) -> None:
        ours.append(sock.export_keying_material(LABEL, 32, CONTEXT).hex())
        send_back(sock, terms)

    with Server(server_context, serve) as server:
        answer = peer.call(terms, server.port)
    assert ours == [answer.said["exported"]]


@PEERS
def test_the_server_exports_the_same_with_a_context(certificates, client_context, version, peer, tmp_path: Path):
    met(peer, version)
    terms = Terms(certificates, version, tmp_path, lines_of_digits(1))
    with peer.serve(terms) as serving:
        with connect(client_context, (ADDRESS, serving.port)) as client:
            ours = client.export_keying_material(LABEL, 32, CONTEXT).hex()
            assert serving.ask(client, terms) == terms.data
            assert serving.said()["exported"] == ours
