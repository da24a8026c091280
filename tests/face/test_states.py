"""A connection's getters before, during and after a handshake return what the standard library's do."""

from __future__ import annotations

import ssl as standard
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair, attempt
from tests.kit.standard import compares_with_ssl
from tests.kit.subject import tls
from wiretight._core.base.tables import FEATURES

QUERIES = [
    "cipher",
    "client_sigalg",
    "compression",
    "get_channel_binding",
    "get_unverified_chain",
    "get_verified_chain",
    "getpeercert",
    "group",
    "has_pending",
    "pending",
    "selected_alpn_protocol",
    "server_sigalg",
    "session",
    "session_reused",
    "shared_ciphers",
    "verify_client_post_handshake",
    "version",
]
NEEDS_3_5 = {"client_sigalg", "server_sigalg"}


def comparable(name: str) -> bool:
    """Whether this Python's `ssl` has an answer, and our OpenSSL too."""
    if name == "session" and sys.version_info < (3, 14):
        return False  # it raises ValueError in the middle of a handshake
    if name == "get_unverified_chain" and sys.version_info < (3, 15):
        return False  # before CPython issue 160171, a server raised AttributeError and a resumed session had none
    return hasattr(standard.SSLObject, name) and (name not in NEEDS_3_5 or FEATURES["HAS_SIGALG_NAMES"])


def start(pair: Pair) -> None:
    """Nothing has been sent."""


def hello(pair: Pair) -> None:
    attempt(pair.client.do_handshake)


def servers_flight(pair: Pair) -> None:
    hello(pair)
    pair.pump()
    attempt(pair.server.do_handshake)


def finished(pair: Pair) -> None:
    pair.handshake()


def asked_again(pair: Pair) -> None:
    """After verify_client_post_handshake(), if the server can request it."""
    pair.handshake()
    try:
        pair.server.verify_client_post_handshake()
    except standard.SSLError:
        return


def request_sent(pair: Pair) -> None:
    asked_again(pair)
    pair.transfer(b"data", pair.server)


def answered(pair: Pair) -> None:
    request_sent(pair)
    pair.transfer(b"data", pair.client)


def resumed(pair: Pair) -> Pair:
    """Another connection with the same session."""
    answered(pair)
    again = Pair(pair.client.context, pair.server.context, session=pair.client.session)
    again.handshake()
    return again


def outcome(side: Any, name: str) -> Any:
    """What `side` answers, without what differs from connection to connection."""
    try:
        answer = getattr(side, name)
        answer = answer() if callable(answer) else answer
    except Exception as error:
        return type(error), getattr(error, "reason", None), error.args[0]
    if name == "session":
        return answer is not None and (bool(answer.id), answer.has_ticket)
    if name == "get_channel_binding":
        return answer and len(answer)
    return answer


@pytest.mark.parametrize("mutual", ["server only", "client too", "client later"])
@compares_with_ssl
@pytest.mark.parametrize(
    "state", [start, hello, servers_flight, finished, asked_again, request_sent, answered, resumed]
)
@pytest.mark.skipif(
    standard.OPENSSL_VERSION_INFO[:2] != tls.OPENSSL_VERSION_INFO[:2], reason="`ssl` has another OpenSSL, another order"
)
def test_every_result_equals_the_standard_librarys(
    certificates: Certificates, version: Any, state: Callable[[Pair], Pair | None], mutual: str
) -> None:
    def reached(module: ModuleType) -> Pair:
        client = certificates.client_context(version, credentials=certificates.client, module=module)
        server = certificates.server_context(
            client_ca=None if mutual == "server only" else certificates.ca_file, module=module
        )
        client.post_handshake_auth = server.post_handshake_auth = mutual == "client later"
        pair = Pair(client, server)
        return state(pair) or pair

    ours, theirs = reached(tls), reached(standard)
    names = [name for name in QUERIES if comparable(name)]
    for side in ("client", "server"):
        answers = {name: outcome(getattr(ours, side), name) for name in names}
        assert answers == {name: outcome(getattr(theirs, side), name) for name in names}


# --- Certificates after the handshake --------------------------------------------------------------------------------


@pytest.fixture
def later(certificates: Certificates) -> Pair:
    """A connection whose server requests the client's certificate later."""
    client = certificates.client_context(tls.TLSVersion.TLSv1_3, credentials=certificates.client)
    server = certificates.server_context(client_ca=certificates.ca_file)
    client.post_handshake_auth = server.post_handshake_auth = True
    pair = Pair(client, server)
    pair.handshake()
    return pair


def test_a_certificate_arrives_when_the_server_requests_it(later: Pair) -> None:
    assert later.server.getpeercert() is None
    later.server.verify_client_post_handshake()
    with pytest.raises(ValueError, match="handshake not done yet"):
        later.server.getpeercert()
    later.transfer(b"request", later.server)
    assert later.server.getpeercert() is None
    later.transfer(b"answer", later.client)
    assert later.server.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)
    assert later.server.get_unverified_chain()[0] == later.server.getpeercert(True)
    assert later.server.get_verified_chain()[0] == later.server.getpeercert(True)


def test_only_one_request_can_be_pending(later: Pair) -> None:
    later.server.verify_client_post_handshake()
    with pytest.raises(tls.SSLError) as caught:
        later.server.verify_client_post_handshake()
    assert caught.value.reason == "STILL_IN_INIT"


def test_a_client_without_a_required_certificate_is_rejected(certificates: Certificates) -> None:
    client = certificates.client_context(tls.TLSVersion.TLSv1_3)
    server = certificates.server_context(client_ca=certificates.ca_file)
    client.post_handshake_auth = server.post_handshake_auth = True
    pair = Pair(client, server)
    pair.handshake()
    pair.server.verify_client_post_handshake()
    pair.transfer(b"request", pair.server)
    with pytest.raises(tls.SSLError) as caught:
        pair.transfer(b"answer", pair.client)
    assert caught.value.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"


# --- Chains ----------------------------------------------------------------------------------------------------------


def test_the_verified_chain_ends_at_the_root_and_the_unverified_one_as_sent(
    certificates: Certificates, version: Any
) -> None:
    pair = Pair(certificates.client_context(version), certificates.server_context())
    pair.handshake()
    sent = pair.client.get_unverified_chain()
    verified = pair.client.get_verified_chain()
    assert sent[0] == verified[0] == pair.client.getpeercert(True)
    assert verified[-1] == standard.PEM_cert_to_DER_cert(certificates.ca_file.read_text())
    assert all(isinstance(certificate, bytes) for certificate in sent + verified)
    assert pair.server.get_unverified_chain() == pair.server.get_verified_chain() == []


def test_a_resumed_session_has_no_verified_chain(certificates: Certificates, version: Any) -> None:
    client = certificates.client_context(version, credentials=certificates.client)
    server = certificates.server_context(client_ca=certificates.ca_file)
    first = Pair(client, server)
    first.handshake()
    first.transfer(b"data", first.server)
    again = Pair(client, server, session=first.client.session)
    again.handshake()
    assert again.client.session_reused
    assert again.client.get_verified_chain() == again.server.get_verified_chain() == []
    assert again.client.get_unverified_chain()[0] == again.client.getpeercert(True)
    assert again.server.get_unverified_chain() == [again.server.getpeercert(True)]


# --- Wrapping --------------------------------------------------------------------------------------------------------


class Half:
    """A BIO that can do one thing."""

    def __init__(self, **methods: Any) -> None:
        self.__dict__.update(methods)


@pytest.mark.parametrize("wrong", [3, None, "text", b"bytes", Half(), Half(pending=0)])
def test_an_invalid_bio_is_rejected_at_once(client_context: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^incoming must be a MemoryBIO or have a method read\(\)"):
        client_context.wrap_bio(wrong, tls.MemoryBIO(), server_hostname=HOST)
    with pytest.raises(TypeError, match=r"^outgoing must be a MemoryBIO or have a method write\(\)"):
        client_context.wrap_bio(tls.MemoryBIO(), wrong, server_hostname=HOST)


def test_each_bio_needs_its_own_method(client_context: Any) -> None:
    client_context.wrap_bio(Half(read=bytes), Half(write=len), server_hostname=HOST)
    with pytest.raises(TypeError):
        client_context.wrap_bio(Half(write=len), Half(read=bytes), server_hostname=HOST)


def test_other_arguments_are_checked_first(client_context: Any) -> None:
    with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        client_context.wrap_bio(3, 4)
