"""Four users of OpenSSL in one process, at once: `ssl`, wiretight, pyOpenSSL and cryptography.

Each may have an OpenSSL of its own or share one: neither may be felt.
"""

from __future__ import annotations

import contextlib
import ssl as standard
import threading
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from OpenSSL import SSL

import wiretight
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.threads import Task

ROUNDS = 15
DATA = bytes(range(256)) * 300
MODULES = [standard, wiretight]


class PyOpenSSL:
    """A connection of pyOpenSSL in the shape of an SSLObject, as Pair wants it, and the memory BIOs that it has."""

    def __init__(self, context: SSL.Context, *, server_side: bool) -> None:
        self.connection = SSL.Connection(context)
        if server_side:
            self.connection.set_accept_state()
        else:
            self.connection.set_tlsext_host_name(HOST.encode())
            self.connection.set_connect_state()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.connection, name)

        def call(*args: Any) -> Any:
            try:
                return method(*args)
            except SSL.WantReadError:
                raise standard.SSLWantReadError from None

        return call


def of_pyopenssl(certificates: Certificates, *, server_side: bool) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    if server_side:
        context.use_certificate_chain_file(str(certificates.server.chain))
        context.use_privatekey_file(str(certificates.server.key))
    else:
        context.load_verify_locations(str(certificates.ca_file))
        context.set_verify(SSL.VERIFY_PEER)
    return context


def exchange(pair: Pair) -> None:
    pair.handshake()
    assert pair.transfer(DATA, pair.client) == DATA
    assert pair.transfer(DATA, pair.server) == DATA


def pairs_of(client: Any, server: Any) -> Callable[[Certificates], None]:
    """Connections between two modules; every second one is refused, so that errors are queued everywhere."""

    def talk(certificates: Certificates) -> None:
        exchange(Pair(certificates.client_context(module=client), certificates.server_context(module=server)))
        bad = certificates.server_context(module=server, credentials=certificates.expired)
        failure = Pair(certificates.client_context(module=client), bad).until_error()
        assert failure.side == "client"
        assert isinstance(failure.error, standard.SSLCertVerificationError)
        assert failure.error.verify_code == 10

    return talk


def pyopenssl(certificates: Certificates) -> None:
    client = PyOpenSSL(of_pyopenssl(certificates, server_side=False), server_side=False)
    server = PyOpenSSL(of_pyopenssl(certificates, server_side=True), server_side=True)
    waiting = [client, server]
    while waiting:
        for side, other in ((client, server), (server, client)):
            if side in waiting:
                try:
                    side.do_handshake()
                except standard.SSLWantReadError:
                    pass
                else:
                    waiting.remove(side)
            carry(side, other)
    client.send(DATA[:16000])
    carry(client, server)
    assert server.recv(16000) == DATA[:16000]
    with pytest.raises(standard.SSLWantReadError):
        server.recv(1)
    with pytest.raises(SSL.Error):
        SSL.Context(SSL.TLS_METHOD).use_certificate_chain_file(str(certificates.server.key))


def carry(source: PyOpenSSL, target: PyOpenSSL) -> None:
    while True:
        try:
            flight = source.bio_read(65536)
        except standard.SSLWantReadError:
            return
        target.bio_write(flight)


def cryptography(certificates: Certificates) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(DATA, ec.ECDSA(hashes.SHA256()))
    key.public_key().verify(signature, DATA, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, DATA + b"!", ec.ECDSA(hashes.SHA256()))
    ca = x509.load_pem_x509_certificate(certificates.ca_file.read_bytes())
    leaf = x509.load_pem_x509_certificate(certificates.server.chain.read_bytes())
    leaf.verify_directly_issued_by(ca)
    with pytest.raises(ValueError, match="PEM"):
        x509.load_pem_x509_certificate(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    public = ca.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        public.encrypt(b"data", padding.PKCS1v15())


USERS = {
    "ssl": pairs_of(standard, standard),
    "wiretight": pairs_of(wiretight, wiretight),
    "wiretight to ssl": pairs_of(wiretight, standard),
    "ssl to wiretight": pairs_of(standard, wiretight),
    "pyOpenSSL": pyopenssl,
    "cryptography": cryptography,
}


def test_four_users_of_openssl_work_at_once_in_two_threads_each(certificates: Certificates) -> None:
    together = threading.Barrier(2 * len(USERS))

    def work(use: Callable[[Certificates], None]) -> int:
        together.wait()
        for _ in range(ROUNDS):
            use(certificates)
        return ROUNDS

    tasks = [Task(work, use) for use in USERS.values() for _ in range(2)]
    assert [task.result(120) for task in tasks] == [ROUNDS] * len(tasks)


def test_all_four_work_in_one_thread_in_turn(certificates: Certificates) -> None:
    for _ in range(2):
        for use in USERS.values():
            use(certificates)


def test_pyopenssl_and_wiretight_talk_to_each_other(certificates: Certificates) -> None:
    """Two OpenSSLs in one connection."""
    incoming, outgoing = wiretight.MemoryBIO(), wiretight.MemoryBIO()
    client = certificates.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    server = PyOpenSSL(of_pyopenssl(certificates, server_side=True), server_side=True)
    steps = [client.do_handshake, server.do_handshake]
    while steps:
        for step in list(steps):
            try:
                step()
            except standard.SSLWantReadError:
                pass
            else:
                steps.remove(step)
            if outgoing.pending:
                server.bio_write(outgoing.read())
            with contextlib.suppress(standard.SSLWantReadError):
                incoming.write(server.bio_read(65536))
    client.write(DATA[:16000])
    server.bio_write(outgoing.read())
    assert server.recv(16000) == DATA[:16000]
