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
from tests.kit.sessions import Recorder
from tests.kit.subject import tls


class Server:
    """A server of pyOpenSSL, which can ask for another handshake."""

    def __init__(self, credentials: Credentials, *, resumes: bool = False) -> None:
        self.context = context = SSL.Context(SSL.TLSv1_2_METHOD)
        self.credentials = credentials
        context.set_options(SSL.OP_NO_TICKET)
        if not resumes:
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # so that each handshake is a full one
        context.set_session_id(b"this one")
        context.set_alpn_select_callback(lambda *_: b"h2")
        self.connection: Any = None
        self.begin()

    def begin(self) -> None:
        """Another connection, after a proper end of the last one: OpenSSL forgets the session of a broken one."""
        if self.connection is not None:
            self.connection.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
        self.connection = SSL.Connection(self.context)
        self.connection.set_accept_state()
        self.load(self.credentials)

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


def talk(client: Any, incoming: Any, outgoing: Any, server: Server, verb: Any, *args: Any) -> list[Any]:
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


@pytest.mark.parametrize("module", [tls, standard], ids=lambda module: module.__name__)
def test_a_renegotiation_replaces_what_was_agreed_on(certificates: Certificates, module: ModuleType) -> None:
    server = Server(certificates.server)
    context = certificates.client_context(module=module, alpn=["h2"])
    context.check_hostname = False
    incoming, outgoing = module.MemoryBIO(), module.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=HOST)

    def run(verb: Any, *args: Any) -> list[Any]:
        return talk(client, incoming, outgoing, server, verb, *args)

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


def test_the_session_store_gets_each_session_once(certificates: Certificates) -> None:
    context = certificates.client_context()
    context.session_store = store = Recorder()
    told: list[Any] = []
    context.new_session_callback = lambda _, session: told.append(session.id)
    server = Server(certificates.server, resumes=True)
    for is_first in (True, False):
        server.begin()
        incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
        talk(client, incoming, outgoing, server, client.do_handshake)
        assert client.session_reused is not is_first
        assert (len(store.sessions), len(told)) == (1, 1)
        for count in (1, 2):
            server.connection.renegotiate()
            talk(client, incoming, outgoing, server, client.read, 1)
            assert server.connection.total_renegotiations() == count
            assert client.session_reused
        assert (len(store.sessions), len(told)) == (1, 1)
