"""CA names: a client of ours chooses by those of other servers, and other clients by ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.interop.peers.browser import Chromium
from tests.interop.peers.gnutls import GnuTLS
from tests.interop.peers.golang import Go
from tests.interop.peers.haproxy import HAProxy
from tests.interop.peers.nginx import Nginx
from tests.interop.peers.openssl import OpenSSL
from tests.interop.peers.peer import Peer, output
from tests.interop.peers.terms import Terms, lines_of_digits
from tests.interop.test_peers import answer_call, meet
from tests.kit.certificates import ADDRESS, Certificates
from tests.kit.programs import program
from tests.kit.servers import Server
from wiretight import Certificate, CertificateRequest, Credential


def new_terms(peer: Peer, version: Any, certificates: Certificates, folder: Path, **others: Any) -> Terms:
    if missing := peer.missing():
        pytest.skip(f"{missing}, or scripts/interop")
    return Terms(certificates, version, folder, lines_of_digits(1), **others)


def issuer(credential: Credential) -> bytes:
    return x509.load_der_x509_certificate(credential.certificates[0].der()).issuer.public_bytes()


# --- their names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [OpenSSL(), GnuTLS(), Go(), Nginx(), HAProxy()], ids=lambda peer: peer.name)
def test_our_client_shows_the_certificate_that_a_server_asks_for(
    peer: Peer, version: Any, certificates: Certificates, tmp_path: Path
) -> None:
    terms = new_terms(peer, version, certificates, tmp_path, demands_certificate=True)
    credentials = [
        Credential.from_pem(files.chain.read_bytes(), files.key.read_bytes())
        for files in (certificates.client_of_other_ca, certificates.client)
    ]
    client = certificates.client_context(version)
    requests: list[CertificateRequest] = []

    def choose(_: Any, request: CertificateRequest) -> Credential | None:
        requests.append(request)
        return next((each for each in credentials if issuer(each) in request.ca_names), None)

    client.client_credential_callback = choose
    with peer.serve(terms) as serving:
        assert meet(serving, terms, client).answer == terms.data
    assert [request.ca_names for request in requests] == [(issuer(credentials[1]),)]


# --- our names --------------------------------------------------------------------------------------------------------


@pytest.fixture
def naming(version: Any, certificates: Certificates) -> Callable[..., Any]:
    """Makes a server's context that takes a certificate of either CA, or none, and names these."""

    def make(*files: Path) -> Any:
        context = certificates.server_context(version, client_ca=certificates.ca_file)
        context.load_verify_locations(certificates.other_ca_file)
        context.verify_mode = context.verify_mode.CERT_OPTIONAL
        context.set_ca_names([Certificate.from_pem(file.read_bytes()) for file in files])
        return context

    return make


def name_in(file: Path) -> str:
    return (
        x509.load_pem_x509_certificate(file.read_bytes())
        .subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)[0]
        .value
    )


def test_s_client_and_gnutls_list_our_names(
    naming: Callable[..., Any], certificates: Certificates, version: Any
) -> None:
    both = (certificates.ca_file, certificates.other_ca_file)
    with Server(naming(*both), lambda sock: sock.close(), errors_ok=True) as server:
        texts = [
            output(program("openssl", "openssl"), "s_client", "-connect", f"{ADDRESS}:{server.port}"),
            output(program("gnutls-cli", "gnutls-bin"), "--insecure", "--verbose", "--port", server.port, ADDRESS),
        ]
    for text in texts:
        assert all(name_in(file) in text for file in both), text


def test_go_shows_its_certificate_to_who_names_its_issuer(
    naming: Callable[..., Any], version: Any, certificates: Certificates, tmp_path: Path
) -> None:
    """The other programs show the one that they are told to show."""
    peer = Go()
    terms = new_terms(peer, version, certificates, tmp_path, client_credentials=certificates.client)
    for file, shown in ((certificates.ca_file, True), (certificates.other_ca_file, False)):
        answer, seen = answer_call(peer, terms, naming(file))
        assert answer.data == terms.data, answer.said
        assert bool(seen[-1].certificate) == shown


def test_chromium_shows_the_certificate_whose_issuer_we_name(
    naming: Callable[..., Any], version: Any, certificates: Certificates, tmp_path: Path
) -> None:
    both = certificates.client, certificates.client_of_other_ca
    browser = Chromium(*both)
    issuers = []
    for file in (certificates.ca_file, certificates.other_ca_file):
        folder = tmp_path / file.stem
        folder.mkdir()
        terms = new_terms(browser, version, certificates, folder)
        answer, seen = answer_call(browser, terms, naming(file))
        assert answer.data == terms.data
        (shown,) = {str(connection.certificate["issuer"]) for connection in seen if connection.certificate}
        issuers.append(name_in(file) in shown)
    assert issuers == [True, True]
