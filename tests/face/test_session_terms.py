"""Sessions are bound to what was verified, and to nothing else: whoever verifies the same may resume them."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.kit.authority import Issued, issue
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.subject import tls
from wiretight._core.base import files
from wiretight._core.trust.trustedfile import decoded_certificates

OTHER = "other.example"


def visit(client_context: Any, server_context: Any, *, name: str = HOST, session: Any = None) -> Pair:
    """A connection that reads something, and with it the tickets."""
    pair = Pair(client_context, server_context, server_hostname=name, session=session)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    assert pair.client.session_reused is pair.server.session_reused
    return pair


def resumes(client_context: Any, server_context: Any, **options: Any) -> bool:
    return visit(client_context, server_context, **options).client.session_reused  # type: ignore[no-any-return]


# --- Clients ---------------------------------------------------------------------------------------------------------
class Client:
    """Contexts of one kind, which share a store."""

    def __init__(self, certificates: Certificates, version: Any) -> None:
        self.certificates, self.version = certificates, version
        self.store = tls.MemorySessionStore()

    def context(self, *changes: Callable[..., Any]) -> Any:
        context = self.certificates.client_context(self.version)
        for change in changes:
            change(context, self.certificates)
        context.session_store = self.store
        return context


@pytest.fixture
def client(certificates: Certificates, version: Any) -> Client:
    return Client(certificates, version)


def no_verification(it: Any, _: Certificates) -> None:
    it.check_hostname = False
    it.verify_mode = tls.CERT_NONE


@functools.cache
def crl_of(certificates: Certificates) -> bytes:
    """The same each time, which a new signature would not be."""
    return certificates.crl().der


CHANGES: dict[str, Callable[..., Any]] = {
    "another CA": lambda it, files: it.load_verify_locations(files.other_ca_file),
    "a CRL": lambda it, files: it.load_crls(data=crl_of(files)),
    "a directory": lambda it, files: it.load_verify_locations(capath=files.folder),
    "the default trust": lambda it, _: it.set_default_verify_paths(),
    "another trust store": lambda it, files: it.trust_store.add_certificates(files.other_ca_file.read_bytes()),
    "nobody verified": no_verification,
    "verify_mode": lambda it, _: setattr(it, "verify_mode", tls.CERT_OPTIONAL),
    "verify_flags": lambda it, _: setattr(it, "verify_flags", it.verify_flags ^ tls.VERIFY_X509_STRICT),
    "names not checked": lambda it, _: setattr(it, "check_hostname", False),
    "names by the subject": lambda it, _: setattr(it, "hostname_checks_common_name", False),
    "ciphers": lambda it, _: it.set_ciphers("ECDHE+AESGCM+AES256"),
    "groups": lambda it, _: it.set_groups("P-256"),
    "its signatures": lambda it, _: it.set_client_sigalgs("ECDSA+SHA256"),
    "the server's signatures": lambda it, _: it.set_server_sigalgs("ECDSA+SHA256"),
    "own certificate": lambda it, files: it.load_cert_chain(*files.client),
    "a policy": lambda it, _: (setattr(it, "policy_id", b"1"), setattr(it, "verify_callback", lambda *_: None)),
}


def test_contexts_that_verify_the_same_share_their_sessions(client: Client, server_context: Any) -> None:
    assert not resumes(client.context(), server_context)
    assert resumes(client.context(), server_context)


@pytest.mark.parametrize("change", CHANGES)
def test_no_context_resumes_what_was_verified_otherwise(client: Client, server_context: Any, change: str) -> None:
    assert not resumes(client.context(CHANGES[change]), server_context)
    assert not resumes(client.context(), server_context)
    assert resumes(client.context(CHANGES[change]), server_context)


def with_shared_keys(it: Any) -> None:
    """The cipher suites that a pre-shared key of either version can be used with, and others."""
    it.set_ciphers("PSK+AESGCM:ECDHE+AESGCM")
    it.set_ciphersuites("TLS_AES_128_GCM_SHA256")


def test_whom_a_client_knows_by_a_shared_key_it_does_not_know_without(
    certificates: Certificates, client: Client, version: Any
) -> None:
    server_context = certificates.server_context(version, credentials=certificates.server_of_other_ca)
    knows, asks = client.context(), client.context()
    for context in (server_context, knows, asks):
        with_shared_keys(context)
    server_context.set_psk_server_callback(lambda _: bytes(32))
    knows.set_psk_client_callback(lambda _: ("client", bytes(32)))
    visit(knows, server_context)
    assert len(client.store)
    with pytest.raises(tls.SSLCertVerificationError):
        Pair(asks, server_context, server_hostname=HOST).handshake()


def test_whom_a_server_knows_by_a_shared_key_it_does_not_know_without(
    certificates: Certificates, client_context: Any, version: Any
) -> None:
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)
    for context in (server_context, client_context):
        with_shared_keys(context)
    server_context.set_psk_server_callback(lambda _: bytes(32))
    client_context.set_psk_client_callback(lambda _: ("client", bytes(32)))
    session = visit(client_context, server_context).client.session
    server_context.set_psk_server_callback(None)
    pair = Pair(client_context, server_context, server_hostname=HOST, session=session)
    with pytest.raises(tls.SSLError, match=r"PEER_DID_NOT_RETURN_A_CERTIFICATE|HANDSHAKE_FAILURE"):
        visit_again(pair)


def visit_again(pair: Pair) -> None:
    pair.handshake()
    pair.transfer(b"data", pair.client)


def test_a_client_whose_certificate_is_chosen_resumes_nothing(
    certificates: Certificates, client: Client, version: Any
) -> None:
    """The next connection may be another user's, who would have another one, or none."""
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)
    client_context = client.context(CHANGES["own certificate"])
    client_context.client_credential_callback = lambda *_: None
    assert not resumes(client_context, server_context)
    assert not resumes(client_context, server_context)


def test_no_two_stores_with_a_relative_directory_are_alike(certificates: Certificates) -> None:
    """It is another directory elsewhere."""
    contexts = [tls.SSLContext(tls.PROTOCOL_TLS_CLIENT) for _ in range(2)]
    for context in contexts:
        context.load_verify_locations(capath="certificates")
    one, other = (context.trust_store.fingerprint for context in contexts)
    assert one != other
    assert contexts[0].trust_store.fingerprint == one


def test_a_session_that_is_over_is_not_offered(client_context: Any, server_context: Any) -> None:
    server_context.session_timeout = 1
    session = visit(client_context, server_context).client.session
    while time.time() <= session.expires + 0.1:  # C's time() may be some milliseconds late
        time.sleep(0.05)
    assert not resumes(client_context, server_context, session=session)


def test_a_verify_callback_without_a_policy_id_is_like_no_other(client: Client, server_context: Any) -> None:
    def decides(it: Any, _: Certificates) -> None:
        it.verify_callback = print_nothing

    def print_nothing(*_: Any) -> None:
        pass

    context = client.context(decides)
    assert [resumes(context, server_context) for _ in range(2)] == [False, True]
    assert not resumes(client.context(decides), server_context)
    assert not resumes(context.copy(), server_context)


def test_another_policy_id_is_another_policy(client: Client, server_context: Any) -> None:
    def renamed(it: Any, _: Certificates) -> None:
        it.policy_id = b"2"

    assert not resumes(client.context(CHANGES["a policy"]), server_context)
    assert not resumes(client.context(CHANGES["a policy"], renamed), server_context)


def test_the_way_in_which_trust_was_loaded_makes_no_difference(client: Client, server_context: Any) -> None:
    def from_memory(it: Any, files: Certificates) -> None:
        it.trust_store = tls.TrustStore(files.ca_file.read_bytes())

    def twice(it: Any, files: Certificates) -> None:
        it.load_verify_locations(cadata=files.ca_file.read_text())

    assert not resumes(client.context(), server_context)
    assert resumes(client.context(from_memory), server_context)
    assert resumes(client.context(twice), server_context)


def test_a_change_that_is_taken_back_finds_the_sessions_again(client: Client, server_context: Any) -> None:
    context = client.context()
    assert not resumes(context, server_context)
    context.check_hostname = False
    assert not resumes(context, server_context)
    context.check_hostname = True
    assert resumes(context, server_context)


KEY_IN_ANOTHER_PROCESS = """
import sys, wiretight

class Store:
    def take(self, key):
        print(key)

    put = take

context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(sys.argv[1])
context.session_store = Store()
client = context.wrap_bio(wiretight.MemoryBIO(), wiretight.MemoryBIO(), server_hostname="localhost")
try:
    client.do_handshake()
except wiretight.SSLWantReadError:
    pass
"""


def test_another_process_has_the_same_keys_if_it_trusts_the_same(certificates: Certificates) -> None:
    asked = []

    class Store:
        def put(self, *_: Any) -> None:
            """Never called: the handshake only begins."""

        def take(self, key: str) -> None:
            asked.append(key)

    context = certificates.client_context()
    context.session_store = Store()
    assert attempt(context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname=HOST).do_handshake) is WANT
    for path, is_equal in ((certificates.ca_file, True), (certificates.other_ca_file, False)):
        command = [sys.executable, "-c", KEY_IN_ANOTHER_PROCESS, str(path)]
        key = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert len(key) == 64
        assert (key == asked[0]) is is_equal


# --- Servers ---------------------------------------------------------------------------------------------------------
def session_of(pair: Pair) -> Any:
    assert pair.client.session.has_ticket
    return pair.client.session


@pytest.mark.parametrize(
    "change",
    [
        lambda it, files: it.load_cert_chain(*files.many_names),
        lambda it, files: it.load_verify_locations(files.other_ca_file),
        lambda it, files: it.load_crls(data=files.crl().der),
    ],
    ids=["its certificate", "its trust", "its CRLs"],
)
def test_tickets_of_a_server_that_asks_for_no_certificate_outlive_what_it_loads(
    client_context: Any, server_context: Any, certificates: Certificates, change: Callable[..., Any]
) -> None:
    session = session_of(visit(client_context, server_context))
    change(server_context, certificates)
    assert resumes(client_context, server_context, session=session)


def test_tickets_of_a_server_end_when_it_speaks_other_protocols(client_context: Any, server_context: Any) -> None:
    session = session_of(visit(client_context, server_context))
    server_context.set_alpn_protocols(["h2"])
    assert not resumes(client_context, server_context, session=session)


@pytest.mark.parametrize(
    "change",
    [
        each
        for each in CHANGES
        if each not in ("nobody verified", "names not checked", "names by the subject", "own certificate")
    ],
)
def test_tickets_of_a_server_that_asks_for_certificates_end_with_what_they_were_verified_by(
    certificates: Certificates, version: Any, change: str
) -> None:
    client_context = certificates.client_context(version, credentials=certificates.client)
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)
    session = session_of(visit(client_context, server_context))
    assert resumes(client_context, server_context, session=session)
    CHANGES[change](server_context, certificates)
    again = visit(client_context, server_context, session=session)
    assert again.server.session_reused is False
    assert again.server.getpeercert()


# --- What it costs ---------------------------------------------------------------------------------------------------
@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[Issued], Path]]:
    """Forty of them, in a file that is decoded on demand."""
    monkeypatch.setattr(files, "SETTLED_AFTER", -(10**9))
    key = issue("key").key
    trusted = [issue(f"root {number}", ca=True, key=key) for number in range(40)]
    path = tmp_path / "roots.pem"
    path.write_text("".join(each.pem for each in trusted))
    wiretight.clear_trust_cache()
    yield trusted, path
    wiretight.clear_trust_cache()


def test_terms_decode_nothing(roots: tuple[list[Issued], Path], tmp_path: Path, version: Any) -> None:
    trusted, path = roots
    server_context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*trusted[0].issue(names=[HOST]).write(tmp_path, "server"))
    client_context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    client_context.load_verify_locations(path)
    client_context.minimum_version = client_context.maximum_version = version
    client_context.session_store = tls.MemorySessionStore()
    assert [resumes(client_context, server_context) for _ in range(2)] == [False, True]
    assert decoded_certificates(str(path)) == 1
    assert tls.TrustStore.from_file(path).fingerprint == tls.TrustStore([each.pem for each in trusted]).fingerprint
    assert decoded_certificates(str(path)) == 1
