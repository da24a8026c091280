"""CA names, and the certificate that a client chooses by them."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import wiretight
from tests.kit.certificates import Certificates, Credentials
from tests.kit.pair import Pair, attempt
from tests.kit.sockets import MODES, tls_sockets
from wiretight import PENDING, Certificate, CertificateRequest, Credential, SSLWantCallbackError, TrustStore


@pytest.fixture
def server(certificates: Certificates, version: Any) -> Any:
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    context.load_verify_locations(certificates.other_ca_file)
    return context


@pytest.fixture
def client(certificates: Certificates, version: Any) -> Any:
    return certificates.client_context(version)


@pytest.fixture
def ca(certificates: Certificates) -> Certificate:
    return Certificate.from_pem(certificates.ca_file.read_bytes())


def credential(files: Credentials) -> Credential:
    return Credential.from_pem(files.chain.read_bytes(), files.key.read_bytes())


def subject(context: Any) -> bytes:
    context.set_ca_names([])
    return b""


def asked(client: Any, server: Any, answer: Any = None) -> tuple[list[CertificateRequest], Pair]:
    """What the client's callback is asked, and the pair after its handshake."""
    requests: list[CertificateRequest] = []
    client.client_credential_callback = lambda _, request: (requests.append(request), answer)[1]
    pair = Pair(client, server)
    pair.handshake()
    return requests, pair


# --- Names ------------------------------------------------------------------------------------------------------------
def test_a_server_names_whom_it_trusts(client: Any, server: Any, ca: Certificate, certificates: Certificates) -> None:
    client.load_cert_chain(*certificates.client)
    server.set_ca_names([ca])
    pair = Pair(client, server)
    pair.handshake()

    (name,) = pair.client.peer_ca_names()
    assert name in ca.der()
    assert pair.server.peer_ca_names() == []
    server.set_ca_names([name, bytearray(name)])
    again = Pair(client, server)
    again.handshake()
    assert again.client.peer_ca_names() == [name]
    server.set_ca_names([])
    without = Pair(client, server)
    without.handshake()
    assert without.client.peer_ca_names() == []


def test_a_store_has_names(client: Any, server: Any, certificates: Certificates) -> None:
    client.load_cert_chain(*certificates.client)
    server.set_ca_names(TrustStore(certificates.ca_file.read_text() + certificates.other_ca_file.read_text()))
    pair = Pair(client, server)
    pair.handshake()
    assert len(pair.client.peer_ca_names()) == 2


def test_a_client_of_tls_13_names_them_too(certificates: Certificates, ca: Certificate) -> None:
    client, server = certificates.client_context(), certificates.server_context()
    client.set_ca_names([ca])
    pair = Pair(client, server)
    pair.handshake()
    assert len(pair.server.peer_ca_names()) == 1


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_sockets_have_them(client: Any, server: Any, ca: Certificate, certificates: Certificates, mode: Any) -> None:
    client.load_cert_chain(*certificates.client)
    server.set_ca_names([ca])
    with tls_sockets(client, server, mode=mode) as (end, _):
        assert len(end.peer_ca_names()) == 1


def test_a_chosen_context_has_its_own(client: Any, server: Any, ca: Certificate, certificates: Certificates) -> None:
    client.load_cert_chain(*certificates.client)
    chosen = server.copy()
    server.set_ca_names([ca])
    server.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    pair = Pair(client, server)
    pair.handshake()
    assert pair.client.peer_ca_names() == []


def test_a_copy_and_a_pickle_have_them(client: Any, server: Any, ca: Certificate, certificates: Certificates) -> None:
    client.load_cert_chain(*certificates.client)
    server.set_ca_names([ca])
    for context in (server.copy(), pickle.loads(pickle.dumps(server))):
        pair = Pair(client, context)
        pair.handshake()
        assert len(pair.client.peer_ca_names()) == 1


NAME = bytes.fromhex("300d310b3009060355040613024445")


def names(count: int, size: int) -> list[bytes]:
    """Each of `size` bytes, with an organisation."""
    made = []
    for number in range(count):
        text = f"{number:05}".encode().ljust(size - 17 - 4, b"x")
        value = b"\x0c\x82" + len(text).to_bytes(2, "big") + text
        for tag in (b"\x06\x03\x55\x04\x0a" + value,):
            pair = b"\x30\x82" + len(tag).to_bytes(2, "big") + tag
            one = b"\x31\x82" + len(pair).to_bytes(2, "big") + pair
            made.append(b"\x30\x82" + len(one).to_bytes(2, "big") + one)
    return made


def test_as_many_as_tls_has_room_for_arrive(client: Any, server: Any, certificates: Certificates) -> None:
    client.load_cert_chain(*certificates.client)
    server.set_ca_names(names(62, 1000))
    pair = Pair(client, server)
    pair.handshake()
    assert len(pair.client.peer_ca_names()) == 62


@pytest.mark.parametrize(
    ("wrong", "kind", "sentence"),
    [
        (names(70, 1000), ValueError, "TLS has room for 64511: name fewer"),
        ([b""], ValueError, "not the DER of a distinguished name"),
        ([b"x"], ValueError, "not the DER of a distinguished name"),
        ([NAME + b"x"], ValueError, "not the DER of a distinguished name"),
        (["CN=x"], TypeError, "bytes-like"),
        (NAME, TypeError, "an iterable of names, not bytes"),
        ("CN=x", TypeError, "an iterable of names, not str"),
        (3, TypeError, "not iterable"),
        (None, TypeError, "not iterable"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_wrong_names_change_nothing(client: Any, server: Any, certificates: Certificates, wrong: Any, kind: Any,
                                    sentence: str) -> None:  # fmt: skip
    client.load_cert_chain(*certificates.client)
    server.set_ca_names([NAME])
    with pytest.raises(kind, match=sentence):
        server.set_ca_names(wrong)
    pair = Pair(client, server)
    pair.handshake()
    assert pair.client.peer_ca_names() == [NAME]


# --- The choice -------------------------------------------------------------------------------------------------------
def test_a_client_chooses_by_the_names(client: Any, server: Any, certificates: Certificates, ca: Certificate) -> None:
    credentials = [credential(certificates.client), credential(certificates.client_of_other_ca)]
    other = Certificate.from_pem(certificates.other_ca_file.read_bytes())

    def choose(_: Any, request: CertificateRequest) -> Any:
        return next(each for each, authority in zip(credentials, (ca, other), strict=True)
                    if request.ca_names[0] in authority.der())  # fmt: skip

    client.client_credential_callback = choose
    for authority, chosen in zip((ca, other), credentials, strict=True):
        server.set_ca_names([authority])
        pair = Pair(client, server)
        pair.handshake()
        assert pair.server.getpeercert(True) == chosen.certificates[0].der()


def test_it_is_told_what_the_server_accepts(client: Any, server: Any, certificates: Certificates) -> None:
    server.set_client_sigalgs("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256")
    ((request,), _) = asked(client, server, credential(certificates.client))
    assert request == CertificateRequest((), (0x0403, 0x0804))


def test_none_is_what_the_context_has(client: Any, server: Any, certificates: Certificates) -> None:
    client.load_cert_chain(*certificates.client)
    requests, pair = asked(client, server)
    assert len(requests) == 1
    assert pair.server.getpeercert()["subject"]


def test_it_is_not_called_unless_a_server_asks(client: Any, certificates: Certificates, version: Any) -> None:
    requests, _ = asked(client, certificates.server_context(version), 0)
    assert requests == []


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_sockets_call_it_too(client: Any, server: Any, certificates: Certificates, mode: Any) -> None:
    client.client_credential_callback = lambda *_: credential(certificates.client)
    with tls_sockets(client, server, mode=mode) as (_, end):
        assert end.getpeercert()["subject"]


def test_what_it_raises_ends_the_handshake(client: Any, server: Any) -> None:
    client.client_credential_callback = lambda *_: 1 / 0
    failure = Pair(client, server).until_error()
    assert failure.side == "client"
    assert isinstance(failure.error.__context__, ZeroDivisionError)
    assert failure.error.alert == 80  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [0, "client.pem", ()], ids=repr)
def test_another_answer_is_a_type_error(client: Any, server: Any, answer: Any) -> None:
    client.client_credential_callback = lambda *_: answer
    failure = Pair(client, server).until_error()
    assert "must return a Credential, None or PENDING" in str(failure.error.__context__)


def test_it_may_decide_later(client: Any, server: Any, certificates: Certificates) -> None:
    answer: list[Any] = [PENDING]
    client.client_credential_callback = lambda *_: answer[0]
    pair = Pair(client, server)
    with pytest.raises(SSLWantCallbackError) as caught:
        pair.handshake()
    assert caught.value.errno == 4
    with pytest.raises(SSLWantCallbackError):
        pair.client.do_handshake()
    answer[0] = credential(certificates.client)
    attempt(pair.client.do_handshake)
    pair.handshake()
    assert pair.server.getpeercert()["subject"]


def test_a_session_of_a_chosen_certificate_is_not_offered_again(
    client: Any, server: Any, certificates: Certificates
) -> None:
    client.session_store = wiretight.MemorySessionStore()
    for _ in range(2):
        _, pair = asked(client, server, credential(certificates.client))
        pair.transfer(b"a ticket comes with it", pair.server)
        assert not pair.client.session_reused
