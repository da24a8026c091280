"""All settings of a context chosen by sni_callback take effect: none of the first context remains."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wiretight.asyncio
from tests.incidents.references import reference
from tests.kit.certificates import ADDRESS, ELSEWHERE, HOST, Certificates
from tests.kit.keys import authority, credential_of
from tests.kit.pair import Failure, Pair
from tests.kit.servers import Server, echo
from tests.kit.subject import tls

pytestmark = reference("RFC 6066, 3")

TLS12, TLS13 = tls.TLSVersion.TLSv1_2, tls.TLSVersion.TLSv1_3


@pytest.fixture
def outer(certificates: Certificates, version: Any) -> Any:
    """The context that a connection begins with; its callback chooses `outer.inner` for every name."""
    context = certificates.server_context(version)
    context.inner = certificates.server_context(version)

    def choose(side: Any, name: str | None, _: Any) -> None:
        side.context = context.inner

    context.sni_callback = choose
    return context


@pytest.fixture
def inner(outer: Any) -> Any:
    return outer.inner


def shaken(client_context: Any, server_context: Any, name: str = HOST) -> Pair:
    pair = Pair(client_context, server_context, server_hostname=name)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    assert pair.transfer(b"data", pair.server) == b"data"
    return pair


def refused(client_context: Any, server_context: Any) -> Failure:
    failure = Pair(client_context, server_context).until_error()
    assert failure.side == "server"
    assert isinstance(failure.error, tls.SSLError)
    return failure


# --- Certificate ------------------------------------------------------------------------------------------------------


def test_its_certificate_is_sent(certificates: Certificates, version: Any, outer: Any) -> None:
    outer.inner = certificates.server_context(version, credentials=certificates.elsewhere)
    pair = shaken(certificates.client_context(version), outer, ELSEWHERE)
    assert pair.client.getpeercert()["subjectAltName"] == (("DNS", ELSEWHERE),)
    assert pair.server.context is outer.inner


# --- Verification -----------------------------------------------------------------------------------------------------


@reference("openssl/openssl#352", "pyca/pyopenssl#255")
def test_it_can_require_a_certificate_if_the_first_did_not(
    certificates: Certificates, version: Any, outer: Any
) -> None:
    outer.inner = certificates.server_context(version, client_ca=certificates.ca_file)
    failure = refused(certificates.client_context(version), outer)
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(failure.error)
    pair = shaken(certificates.client_context(version, credentials=certificates.client), outer)
    assert pair.server.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)
    assert len(pair.server.get_verified_chain()) == 2


@reference("openssl/openssl#352", "uNetworking/uSockets#224")
@pytest.mark.parametrize("mode", [tls.CERT_NONE, tls.CERT_OPTIONAL])
def test_it_cannot_be_less_strict_than_the_first(
    certificates: Certificates, version: Any, outer: Any, inner: Any, mode: Any
) -> None:
    """But whom it trusts is its own affair."""
    outer.verify_mode, inner.verify_mode = tls.CERT_REQUIRED, mode
    inner.load_verify_locations(certificates.ca_file)
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(refused(certificates.client_context(version), outer).error)
    pair = shaken(certificates.client_context(version, credentials=certificates.client), outer)
    assert pair.server.getpeercert()
    assert inner.verify_mode is mode


@reference("openssl/openssl#352")
def test_it_cannot_postpone_a_request_of_the_first_to_after_the_handshake(certificates: Certificates) -> None:
    outer = certificates.server_context(TLS13, client_ca=certificates.ca_file)
    inner = certificates.server_context(TLS13, client_ca=certificates.ca_file)
    inner.post_handshake_auth = True
    outer.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    client_context = certificates.client_context(TLS13)
    client_context.post_handshake_auth = True
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(refused(client_context, outer).error)


@reference("pyca/pyopenssl#255")
def test_it_verifies_an_optional_certificate(certificates: Certificates, version: Any, outer: Any, inner: Any) -> None:
    inner.load_verify_locations(certificates.ca_file)
    inner.verify_mode = tls.CERT_OPTIONAL
    assert shaken(certificates.client_context(version), outer).server.getpeercert() is None
    pair = shaken(certificates.client_context(version, credentials=certificates.client), outer)
    assert pair.server.getpeercert()
    failure = refused(certificates.client_context(version, credentials=certificates.client_of_other_ca), outer)
    assert "CERTIFICATE_VERIFY_FAILED" in str(failure.error)


@reference("CVE-2025-23048")
def test_only_its_certificate_authorities_are_trusted(certificates: Certificates, version: Any, outer: Any) -> None:
    outer.load_verify_locations(certificates.ca_file)
    outer.verify_mode = tls.CERT_REQUIRED
    outer.inner = certificates.server_context(version, client_ca=certificates.other_ca_file)
    failure = refused(certificates.client_context(version, credentials=certificates.client), outer)
    assert "CERTIFICATE_VERIFY_FAILED" in str(failure.error)
    pair = shaken(certificates.client_context(version, credentials=certificates.client_of_other_ca), outer)
    assert pair.server.getpeercert()


def test_its_verify_callback_is_asked_and_not_that_of_the_first(
    certificates: Certificates, version: Any, outer: Any, inner: Any
) -> None:
    client = certificates.client_context(version, credentials=certificates.client)
    asked = []
    for context in (outer, inner):
        context.verify_mode = tls.CERT_REQUIRED
        context.load_verify_locations(certificates.ca_file)
        context.verify_callback = lambda *_, context=context: asked.append(context)
    shaken(client, outer)
    assert asked == [inner]
    inner.verify_callback = None
    shaken(client, outer)
    assert asked == [inner]


def test_one_that_verifies_nobody_leaves_the_verify_callback_of_the_first(
    certificates: Certificates, version: Any, outer: Any, inner: Any
) -> None:
    client = certificates.client_context(version, credentials=certificates.client)
    outer.verify_mode = tls.CERT_REQUIRED
    outer.verify_callback = lambda _, verification: verification.refuse("not this one")
    inner.load_verify_locations(certificates.ca_file)
    assert inner.verify_mode is tls.CERT_NONE
    assert "not this one" in str(refused(client, outer).error)


def test_its_verification_flags_apply(certificates: Certificates, version: Any, outer: Any) -> None:
    outer.inner = certificates.server_context(version, client_ca=certificates.ca_file)
    client_context = certificates.client_context(version, credentials=certificates.client)
    shaken(client_context, outer)
    outer.inner.verify_flags |= tls.VERIFY_CRL_CHECK_LEAF  # and no revocation list is loaded
    assert "unable to get certificate CRL" in str(refused(client_context, outer).error)


@pytest.mark.parametrize("mode", tls.VerifyMode)
@reference("openssl/openssl#352")
def test_it_demands_no_less_of_a_certificate_than_the_first(
    certificates: Certificates, version: Any, outer: Any, mode: Any
) -> None:
    """With `ssl`, the flags stay those of the first."""
    outer.inner = certificates.server_context(version, client_ca=certificates.ca_file)
    outer.inner.verify_mode = mode
    outer.verify_mode = tls.CERT_REQUIRED
    client_context = certificates.client_context(version, credentials=certificates.client)
    shaken(client_context, outer)
    outer.verify_flags |= tls.VERIFY_CRL_CHECK_LEAF
    assert "unable to get certificate CRL" in str(refused(client_context, outer).error)


def test_it_concedes_no_more_of_a_certificate_than_the_first(
    certificates: Certificates, version: Any, outer: Any
) -> None:
    """An intermediate CA as a trust anchor: VERIFY_X509_PARTIAL_CHAIN of both is needed."""
    outer.verify_flags &= ~tls.VERIFY_X509_PARTIAL_CHAIN
    outer.inner = certificates.server_context(version)
    outer.inner.load_verify_locations(cadata=authority()[1].pem)
    outer.inner.verify_mode = tls.CERT_REQUIRED
    outer.inner.verify_flags |= tls.VERIFY_X509_PARTIAL_CHAIN
    client_context = certificates.client_context(version)
    client_context.add_credential(credential_of())
    assert "unable to get issuer certificate" in str(refused(client_context, outer).error)
    outer.verify_flags |= tls.VERIFY_X509_PARTIAL_CHAIN
    shaken(client_context, outer)


def test_it_may_request_a_certificate_after_the_handshake(certificates: Certificates, outer: Any) -> None:
    outer.minimum_version = outer.maximum_version = TLS13
    outer.inner = certificates.server_context(TLS13, client_ca=certificates.ca_file)
    outer.inner.post_handshake_auth = True
    client_context = certificates.client_context(TLS13, credentials=certificates.client)
    client_context.post_handshake_auth = True
    pair = shaken(client_context, outer)
    assert pair.server.getpeercert() is None
    pair.server.verify_client_post_handshake()
    pair.transfer(b"data", pair.server)
    pair.transfer(b"data", pair.client)
    assert pair.server.getpeercert()


# --- Versions and options ---------------------------------------------------------------------------------------------


@reference("RFC 8446, 4.2.1")
def test_its_version_is_negotiated(certificates: Certificates, version: Any, outer: Any) -> None:
    """Also where the first context would have spoken another one."""
    outer.minimum_version, outer.maximum_version = TLS12, TLS13 if version == TLS12 else TLS12
    pair = shaken(certificates.client_context(), outer)
    assert pair.client.version() == pair.server.version() == f"TLSv1.{version - 0x301}"


@reference("RFC 9325, 3.1.1")
def test_it_cannot_allow_an_older_version_than_the_first(certificates: Certificates) -> None:
    outer, inner = certificates.server_context(), certificates.server_context()
    outer.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    outer.minimum_version, inner.minimum_version = TLS13, TLS12
    assert "UNSUPPORTED_PROTOCOL" in str(refused(certificates.client_context(TLS12), outer).error)
    assert shaken(certificates.client_context(), outer).client.version() == "TLSv1.3"


@reference("RFC 9325, 3.1.1")
@pytest.mark.filterwarnings("ignore:.*OP_NO_TLS:DeprecationWarning")
def test_it_cannot_allow_a_version_that_the_options_of_the_first_forbid(certificates: Certificates) -> None:
    listening, chosen = certificates.server_context(), certificates.server_context()
    listening.minimum_version = TLS12  # the default of some Pythons is TLS 1.0
    listening.options |= tls.OP_NO_TLSv1_2

    def choose(side: Any, name: str | None, _: Any) -> None:
        side.context = chosen

    listening.sni_callback = choose
    assert refused(certificates.client_context(TLS12), listening).error.reason == "UNSUPPORTED_PROTOCOL"


@pytest.mark.parametrize("limit", ["minimum_version", "options"])
def test_it_may_refuse_an_older_version(certificates: Certificates, limit: str) -> None:
    outer, inner = certificates.server_context(), certificates.server_context()
    outer.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    assert shaken(certificates.client_context(TLS12), outer).client.version() == "TLSv1.2"
    if limit == "minimum_version":
        inner.minimum_version = TLS13
    else:
        inner.minimum_version = TLS12  # the default of some Pythons is TLS 1.0
        with pytest.warns(DeprecationWarning, match="OP_NO_TLS"):
            inner.options |= tls.OP_NO_TLSv1_2
    assert shaken(certificates.client_context(), outer).client.version() == "TLSv1.3"
    assert "UNSUPPORTED_PROTOCOL" in str(refused(certificates.client_context(TLS12), outer).error)


@pytest.mark.parametrize("ours", [True, False], ids=["servers-preference", "clients-preference"])
def test_its_options_apply_and_not_those_of_the_first(certificates: Certificates, ours: bool) -> None:
    outer, inner = certificates.server_context(TLS12), certificates.server_context(TLS12)
    outer.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    preference = tls.OP_CIPHER_SERVER_PREFERENCE
    if ours:
        outer.options &= ~preference
        inner.options |= preference
    else:
        outer.options |= preference
        inner.options &= ~preference
    inner.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    client_context = certificates.client_context(TLS12)
    client_context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
    chosen = shaken(client_context, outer).server.cipher()[0]
    assert chosen == f"ECDHE-ECDSA-AES{'128-GCM-SHA256' if ours else '256-GCM-SHA384'}"


# --- Algorithms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True], ids=["from-the-start", "changed-in-use"])
def test_its_ciphers_are_negotiated(
    certificates: Certificates, version: Any, outer: Any, inner: Any, late: bool
) -> None:
    client_context = certificates.client_context(version)
    if late:
        shaken(client_context, outer)
    outer.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    outer.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    inner.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    inner.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256")
    assert "CHACHA20" in shaken(client_context, outer).server.cipher()[0]
    client_context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    client_context.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    assert "NO_SHARED_CIPHER" in str(refused(client_context, outer).error)


def test_its_groups_are_negotiated(certificates: Certificates, version: Any, outer: Any, inner: Any) -> None:
    inner.set_groups("secp384r1")
    assert shaken(certificates.client_context(version), outer).client.group() == "secp384r1"


@pytest.mark.parametrize("late", [False, True], ids=["from-the-start", "changed-in-use"])
def test_groups_of_the_first_no_longer_apply(
    certificates: Certificates, version: Any, outer: Any, inner: Any, late: bool
) -> None:
    client_context = certificates.client_context(version)
    client_context.set_groups("X25519:P-256")
    if late:
        shaken(client_context, outer)
    outer.set_groups("secp521r1")
    assert shaken(client_context, outer).client.group() == "x25519"


@reference("RFC 8446, 4.2.3")
@pytest.mark.parametrize("late", [False, True], ids=["from-the-start", "changed-in-use"])
def test_its_signature_algorithms_are_used(
    certificates: Certificates, version: Any, outer: Any, inner: Any, late: bool
) -> None:
    client_context = certificates.client_context(version)
    if late:
        shaken(client_context, outer)
    outer.set_server_sigalgs("ed25519")  # for which there is no key
    shaken(client_context, outer)
    inner.set_server_sigalgs("ed25519")
    assert refused(client_context, outer).error.reason in {"NO_SHARED_CIPHER", "NO_SUITABLE_SIGNATURE_ALGORITHM"}


@reference("RFC 7301, 3.2")
@pytest.mark.parametrize(
    ("first", "second", "agreed"), [([], ["h2"], "h2"), (["h2"], ["http/1.1"], "http/1.1"), (["h2"], [], None)]
)
def test_its_application_protocols_are_negotiated(
    certificates: Certificates, version: Any, outer: Any, inner: Any, first: Any, second: Any, agreed: str | None
) -> None:
    if first:
        outer.set_alpn_protocols(first)
    if second:
        inner.set_alpn_protocols(second)
    pair = shaken(certificates.client_context(version, alpn=["h2", "http/1.1"]), outer)
    assert pair.client.selected_alpn_protocol() == pair.server.selected_alpn_protocol() == agreed


# --- Sessions ---------------------------------------------------------------------------------------------------------


@reference("RFC 8446, 4.6.1")
def test_it_determines_the_number_of_tickets(certificates: Certificates) -> None:
    outer, inner = certificates.server_context(TLS13), certificates.server_context(TLS13)
    outer.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    client_context = certificates.client_context(TLS13)
    for first, second in ((2, 0), (0, 2)):
        outer.num_tickets, inner.num_tickets = first, second
        assert shaken(client_context, outer).client.session.has_ticket is (second > 0)


@reference("RFC 5077, 3.3")
def test_it_determines_whether_tickets_are_sent(certificates: Certificates) -> None:
    outer, inner = certificates.server_context(TLS12), certificates.server_context(TLS12)
    outer.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    client_context = certificates.client_context(TLS12)
    for first, second in ((0, tls.OP_NO_TICKET), (tls.OP_NO_TICKET, 0)):
        outer.options = outer.options & ~tls.OP_NO_TICKET | first
        inner.options = inner.options & ~tls.OP_NO_TICKET | second
        assert shaken(client_context, outer).client.session.has_ticket is (second == 0)


# --- Callbacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_its_message_callback_is_called_and_not_that_of_the_first(
    certificates: Certificates, version: Any, outer: Any, inner: Any, first: bool, second: bool
) -> None:
    seen: list[str] = []
    if first:
        outer._msg_callback = lambda side, *_: seen.append("first")
    if second:
        inner._msg_callback = lambda side, *_: seen.append("second")
    shaken(certificates.client_context(version), outer)
    assert ("second" in seen) is second
    # The first one has seen the ClientHello: its header, and the message.
    assert seen[:2] == ["first", "first"] if first else "first" not in seen
    assert "first" not in seen[3:]


@reference("RFC 9850, 2")
def test_its_key_log_is_written(
    certificates: Certificates, version: Any, outer: Any, inner: Any, tmp_path: Path
) -> None:
    outer.keylog_filename, inner.keylog_filename = tmp_path / "first", tmp_path / "second"
    shaken(certificates.client_context(version), outer)
    assert len((tmp_path / "first").read_text().splitlines()) == 1
    assert len((tmp_path / "second").read_text().splitlines()) > 1


@reference("RFC 4279, 2")
@pytest.mark.parametrize("known", ["first", "second"])
def test_its_pre_shared_keys_are_accepted(version: Any, known: str) -> None:
    """And no others: neither context has a certificate."""
    client_context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname, client_context.verify_mode = False, tls.CERT_NONE
    outer, inner = (tls.SSLContext(tls.PROTOCOL_TLS_SERVER) for _ in range(2))
    for context in (client_context, outer, inner):
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("PSK")
    client_context.set_psk_client_callback(lambda hint: ("me", b"0123456789abcdef"))
    outer.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    knowing = outer if known == "first" else inner
    knowing.set_psk_server_callback(lambda identity: b"0123456789abcdef", "a hint")
    if known == "second":
        shaken(client_context, outer)
    else:
        assert refused(client_context, outer).error.reason


@reference("RFC 4279, 2")
def test_one_without_pre_shared_keys_shows_its_certificate_instead(
    certificates: Certificates, version: Any, outer: Any
) -> None:
    """To a client that would rather use a key, which the first context knows."""
    outer.inner = certificates.server_context(version)
    outer.set_psk_server_callback(lambda identity: b"0123456789abcdef")
    client_context = certificates.client_context(version)
    client_context.set_psk_client_callback(lambda hint: ("me", b"0123456789abcdef"))
    for context in (client_context, outer, outer.inner):
        context.set_ciphers("PSK+AESGCM:ECDHE+AESGCM")
    pair = shaken(client_context, outer)
    assert ("DNS", HOST) in pair.client.getpeercert()["subjectAltName"]


# --- Loaded later -----------------------------------------------------------------------------------------------------


def test_what_is_loaded_into_it_after_its_first_use_applies(
    certificates: Certificates, version: Any, outer: Any
) -> None:
    outer.inner = inner = certificates.server_context(version, credentials=certificates.elsewhere)
    shaken(certificates.client_context(version), outer, ELSEWHERE)
    inner.load_cert_chain(*certificates.server)
    inner.load_verify_locations(certificates.ca_file)
    inner.verify_mode = tls.CERT_REQUIRED
    pair = shaken(certificates.client_context(version, credentials=certificates.client), outer)
    assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)
    assert pair.server.getpeercert()


# --- When and where ---------------------------------------------------------------------------------------------------


@reference("RFC 8446, 4.1.2")
def test_a_second_client_hello_goes_to_the_callback_of_the_chosen_context(certificates: Certificates) -> None:
    """After a HelloRetryRequest, here for a group that the client's first one had no key for."""
    first, second, third = (certificates.server_context(TLS13) for _ in range(3))
    for context in (second, third):
        context.set_groups("secp384r1")
    called = []

    def choosing(context: Any) -> Callable[..., None]:
        def callback(side: Any, name: str, present: Any) -> None:
            called.append((name, present))
            side.context = context

        return callback

    first.sni_callback, second.sni_callback = choosing(second), choosing(third)
    pair = shaken(certificates.client_context(TLS13), first)
    assert called == [(HOST, first), (HOST, second)]
    assert pair.server.context is third


def test_all_settings_of_a_context_set_before_the_handshake_apply(certificates: Certificates, version: Any) -> None:
    closed = certificates.server_context(version, client_ca=certificates.ca_file)
    pair = Pair(certificates.client_context(version), certificates.server_context(version))
    pair.server.context = closed
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(pair.until_error().error)


@reference("openssl/openssl#352")
def test_sockets_behave_the_same(certificates: Certificates, version: Any, outer: Any) -> None:
    outer.inner = certificates.server_context(version, client_ca=certificates.ca_file, alpn=["h2"])
    with Server(outer, echo) as server:
        with server.connect(
            certificates.client_context(version, credentials=certificates.client, alpn=["h2"])
        ) as client:
            client.sendall(b"data")
            assert client.recv(4) == b"data"
            client.unwrap()
        seen = server.next_seen()
        assert seen.certificate
        assert seen.alpn == "h2"
        with pytest.raises((tls.SSLError, ConnectionError)):  # TLS 1.3 tells a client when it reads
            with server.connect(certificates.client_context(version)) as client:
                client.recv(1)
        assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(server.next_error())


@reference("openssl/openssl#352")
@pytest.mark.parametrize("module", [asyncio, wiretight.asyncio], ids=lambda module: module.__name__)
def test_asyncio_transports_behave_the_same(certificates: Certificates, version: Any, outer: Any, module: Any) -> None:
    outer.inner = certificates.server_context(version, client_ca=certificates.ca_file, alpn=["h2"])
    names = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ssl_object = writer.get_extra_info("ssl_object")
        names.append((bool(writer.get_extra_info("peercert")), ssl_object.selected_alpn_protocol()))
        writer.write(await reader.read(4))
        await writer.drain()
        writer.close()

    async def visit(port: int, **credentials: Any) -> bytes:
        context = certificates.client_context(version, alpn=["h2"], **credentials)
        try:
            reader, writer = await module.open_connection(ADDRESS, port, ssl=context, server_hostname=HOST)
            with contextlib.closing(writer.transport):
                writer.write(b"data")
                return await reader.read(4) or b"refused"
        except (tls.SSLError, ConnectionError):  # TLS 1.3 tells a client when it reads
            return b"refused"

    async def run() -> None:
        server = await module.start_server(serve, ADDRESS, 0, ssl=outer)
        port = server.sockets[0].getsockname()[1]
        assert await visit(port, credentials=certificates.client) == b"data"
        assert await visit(port) == b"refused"
        server.close()

    asyncio.run(run())
    assert names == [(True, "h2")]
