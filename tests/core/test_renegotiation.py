"""A TLS 1.2 server may shake hands again: what a client then answers is what the last handshake agreed on."""

from __future__ import annotations

import ssl as standard
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL

from tests.kit.certificates import HOST, Certificates, Credentials
from tests.kit.pair import attempt
from tests.kit.subject import tls


class Server:
    """A server of pyOpenSSL, which can ask for another handshake."""

    def __init__(self, credentials: Credentials) -> None:
        context = SSL.Context(SSL.TLSv1_2_METHOD)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # so that each handshake is a full one
        context.set_alpn_select_callback(lambda *_: b"h2")
        self.connection = SSL.Connection(context)
        self.connection.set_accept_state()
        self.load(credentials)

    def load(self, credentials: Credentials) -> None:
        """Has the next handshake show these."""
        self.connection.use_certificate(load_pem_x509_certificate(credentials.chain.read_bytes()))
        self.connection.use_privatekey(load_pem_private_key(credentials.key.read_bytes(), None))

    def answer(self, sent: bytes) -> bytes:
        if sent:
            self.connection.bio_write(sent)
        attempt_of_pyopenssl(self.connection.do_handshake)
        attempt_of_pyopenssl(self.connection.recv, 1)
        return attempt_of_pyopenssl(self.connection.bio_read, 65536) or b""


def attempt_of_pyopenssl(method: Any, *args: Any) -> Any:
    try:
        return method(*args)
    except SSL.WantReadError:
        return None


@pytest.mark.parametrize("module", [tls, standard], ids=lambda module: module.__name__)
def test_a_renegotiation_replaces_what_was_agreed_on(certificates: Certificates, module: ModuleType) -> None:
    server = Server(certificates.server)
    context = certificates.client_context(module=module, alpn=["h2"])
    context.check_hostname = False
    incoming, outgoing = module.MemoryBIO(), module.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=HOST)

    def run(verb: Any, *args: Any) -> list[Any]:
        """Both sides, until neither sends; what version() was in between."""
        versions = []
        while True:
            attempt(verb, *args)
            versions.append(client.version())
            sent = outgoing.read()
            answered = server.answer(sent)
            incoming.write(answered)
            if not sent and not answered:
                return versions

    assert run(client.do_handshake)[-1] == "TLSv1.2"
    assert client.selected_alpn_protocol() == "h2"
    certificate, binding = client.getpeercert(True), client.get_channel_binding()
    server.load(certificates.elsewhere)
    server.connection.renegotiate()
    versions = run(client.read, 1)

    assert server.connection.total_renegotiations() == 1
    assert None in versions
    assert versions[-1] == "TLSv1.2"
    assert client.selected_alpn_protocol() is None  # OpenSSL offers it in the first handshake alone
    assert client.getpeercert(True) not in (None, certificate)
    assert client.get_channel_binding() not in (None, binding)
