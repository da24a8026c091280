"""A session is resumed only if everything that was verified for it is still required, and by the same side."""

from __future__ import annotations

import asyncio
import contextlib
import ssl as standard
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import trustme

import wiretight.asyncio
from tests.incidents.references import reference
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.servers import Server
from tests.kit.sockets import connect, tls_sockets
from tests.kit.subject import tls

pytestmark = reference("RFC 8446, 4.6.1")

OTHER = "other.example"


class Hosts(NamedTuple):
    """A server's certificate for several names and addresses, its CA, and what else the tests load."""

    ca: trustme.CA
    server: trustme.LeafCert

    def client_context(self, version: Any) -> Any:
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.minimum_version = context.maximum_version = version
        self.ca.configure_trust(context)
        return context

    def server_context(self, version: Any) -> Any:
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        self.server.configure_cert(context)
        return context


@pytest.fixture(scope="module")
def hosts() -> Hosts:
    ca = trustme.CA()
    return Hosts(ca, ca.issue_cert(HOST, OTHER, ADDRESS, "127.0.0.2"))


@pytest.fixture
def client_context(hosts: Hosts, version: Any) -> Any:
    return hosts.client_context(version)


@pytest.fixture
def server_context(hosts: Hosts, version: Any) -> Any:
    return hosts.server_context(version)


def session_of(client_context: Any, server_context: Any, name: str | None = HOST) -> Any:
    """A session with its ticket, from a connection to `name`."""
    pair = Pair(client_context, server_context, server_hostname=name)
    pair.handshake()
    assert pair.transfer(b"data", pair.server) == b"data"
    assert pair.client.session.has_ticket
    return pair.client.session


def resumes(client_context: Any, server_context: Any, session: Any, name: str | None = HOST) -> bool:
    """Whether another connection resumes it. It works in any case; the full handshake shows certificates again."""
    pair = Pair(client_context, server_context, server_hostname=name, session=session)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    assert pair.transfer(b"data", pair.server) == b"data"
    assert pair.client.session_reused is pair.server.session_reused
    if type(client_context) is not standard.SSLContext:
        assert bool(pair.client.get_verified_chain()) is not pair.client.session_reused
    return pair.client.session_reused


# --- The client -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [HOST, HOST.upper(), OTHER, ADDRESS, "127.0.0.2"])
def test_a_session_is_resumed_if_nothing_has_changed(client_context: Any, server_context: Any, name: str) -> None:
    session = session_of(client_context, server_context, name)
    assert resumes(client_context, server_context, session, name)


def test_the_case_of_a_name_makes_no_difference(client_context: Any, server_context: Any) -> None:
    assert resumes(client_context, server_context, session_of(client_context, server_context), HOST.title())


@reference("CVE-2026-48934")
@pytest.mark.parametrize(
    ("first", "second"),
    [(HOST, OTHER), (HOST, ADDRESS), (ADDRESS, HOST), (ADDRESS, "127.0.0.2")],
)
def test_a_session_of_one_name_is_not_offered_to_another(
    client_context: Any, server_context: Any, first: str, second: str
) -> None:
    session = session_of(client_context, server_context, first)
    assert not resumes(client_context, server_context, session, second)


@reference("CVE-2026-48934")
def test_a_server_that_knows_the_ticket_key_cannot_impersonate_another_host(
    client_context: Any, server_context: Any
) -> None:
    """The certificate is looked at although the server could resume: it is for another name."""
    session = session_of(client_context, server_context)
    with pytest.raises(tls.SSLCertVerificationError, match="Hostname mismatch"):
        resumes(client_context, server_context, session, "third.example")


def no_name_check(context: Any) -> None:
    context.check_hostname = False


def no_verification(context: Any) -> None:
    context.check_hostname = False
    context.verify_mode = tls.CERT_NONE


def optional(context: Any) -> None:
    context.verify_mode = tls.CERT_OPTIONAL


def partial_chains(context: Any) -> None:
    context.verify_flags |= tls.VERIFY_X509_PARTIAL_CHAIN


def common_names(context: Any) -> None:
    context._host_flags ^= 0x20  # X509_CHECK_FLAG_NEVER_CHECK_SUBJECT


def more_ciphers(context: Any) -> None:
    context.set_ciphers("ALL")


def other_server_sigalgs(context: Any) -> None:
    context.set_server_sigalgs("ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256")


def other_client_sigalgs(context: Any) -> None:
    context.set_client_sigalgs("ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256")


SETTINGS: list[Callable[[Any], None]] = [
    no_name_check, no_verification, optional, partial_chains, common_names, more_ciphers, other_server_sigalgs,
    other_client_sigalgs,
]  # fmt: skip


@pytest.mark.parametrize("weaken", SETTINGS)
@reference("openssl/openssl#9964", "curl/curl#18902")
def test_a_session_with_weaker_verification_is_not_offered_under_a_stricter_one(
    hosts: Hosts, version: Any, server_context: Any, weaken: Callable[[Any], None]
) -> None:
    """The same context, before and after its verification is enabled."""
    context = hosts.client_context(version)
    strict = context.check_hostname, context.verify_mode, context.verify_flags, context._host_flags
    weaken(context)
    session = session_of(context, server_context)
    assert resumes(context, server_context, session)
    context.verify_mode = strict[1]
    context.check_hostname, context.verify_flags, context._host_flags = strict[0], strict[2], strict[3]
    if weaken is more_ciphers:
        context.set_ciphers("ECDHE+AESGCM")
    if weaken is other_server_sigalgs:
        context.set_server_sigalgs("ECDSA+SHA256")
    if weaken is other_client_sigalgs:
        context.set_client_sigalgs("ECDSA+SHA256")
    assert not resumes(context, server_context, session)


@pytest.mark.parametrize("change", SETTINGS)
def test_a_session_with_stricter_verification_is_not_offered_under_a_weaker_one(
    client_context: Any, server_context: Any, change: Callable[[Any], None]
) -> None:
    session = session_of(client_context, server_context)
    change(client_context)
    assert not resumes(client_context, server_context, session)


def other_ca(context: Any, certificates: Certificates) -> None:
    context.load_verify_locations(certificates.other_ca_file)


def ca_data(context: Any, certificates: Certificates) -> None:
    context.load_verify_locations(cadata=certificates.other_ca_file.read_text())


def directory(context: Any, certificates: Certificates) -> None:
    context.load_verify_locations(capath=certificates.folder)


def default_paths(context: Any, certificates: Certificates) -> None:
    context.set_default_verify_paths()


def own_certificate(context: Any, certificates: Certificates) -> None:
    context.load_cert_chain(*certificates.client)


LOADING = [
    other_ca, ca_data, directory, default_paths,
    pytest.param(own_certificate, marks=reference("CVE-2016-5419")),
]  # fmt: skip


@pytest.mark.parametrize("load", LOADING)
def test_a_session_is_not_offered_after_a_load(
    client_context: Any, server_context: Any, certificates: Certificates, load: Callable[..., None]
) -> None:
    """A certificate authority, a revocation list, another certificate of the client's own."""
    session = session_of(client_context, server_context)
    load(client_context, certificates)
    assert not resumes(client_context, server_context, session)
    again = session_of(client_context, server_context)
    assert resumes(client_context, server_context, again)


@reference("Python, ssl.SSLSession")
def test_a_session_of_another_context_is_rejected(
    hosts: Hosts, version: Any, client_context: Any, server_context: Any
) -> None:
    session = session_of(client_context, server_context)
    with pytest.raises(ValueError, match="Session refers to a different SSLContext"):
        Pair(hosts.client_context(version), server_context, session=session)


def test_a_session_that_is_set_later_is_bound_as_well(client_context: Any, server_context: Any) -> None:
    session = session_of(client_context, server_context)
    pair = Pair(client_context, server_context, server_hostname=OTHER)
    pair.client.session = session
    pair.handshake()
    assert pair.client.session_reused is False
    assert ("DNS", OTHER) in pair.client.getpeercert()["subjectAltName"]


def test_a_session_of_a_resumed_connection_is_bound_like_the_first(client_context: Any, server_context: Any) -> None:
    first = session_of(client_context, server_context)
    pair = Pair(client_context, server_context, session=first)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    assert pair.client.session_reused
    assert resumes(client_context, server_context, pair.client.session)
    assert not resumes(client_context, server_context, pair.client.session, OTHER)


@reference("CVE-2026-48934")
@pytest.mark.parametrize("name", [HOST, OTHER])
def test_sockets_behave_the_same(client_context: Any, server_context: Any, name: str) -> None:
    session = session_of(client_context, server_context)
    with tls_sockets(client_context, server_context, server_hostname=name, session=session) as (client, server):
        assert client.session_reused is server.session_reused is (name == HOST)


# --- The server -------------------------------------------------------------------------------------------------------


@pytest.fixture
def client_with_certificate(certificates: Certificates, version: Any) -> Any:
    return certificates.client_context(version, credentials=certificates.client)


def require_certificates(context: Any, certificates: Certificates) -> None:
    context.load_verify_locations(certificates.ca_file)
    context.verify_mode = tls.CERT_REQUIRED


def require_other_ca(context: Any, certificates: Certificates) -> None:
    context.load_verify_locations(certificates.other_ca_file)


def strict_flags(context: Any, certificates: Certificates) -> None:
    context.verify_flags |= tls.VERIFY_X509_STRICT


def better_ciphers(context: Any, certificates: Certificates) -> None:
    context.set_ciphers("ECDHE+AESGCM")


def better_sigalgs(context: Any, certificates: Certificates) -> None:
    context.set_client_sigalgs("ECDSA+SHA256:ECDSA+SHA384")


@pytest.mark.parametrize(
    "tighten", [require_certificates, require_other_ca, strict_flags, better_ciphers, better_sigalgs]
)
@reference("CVE-2025-23419")
def test_a_ticket_from_before_the_policy_was_tightened_does_not_resume(
    certificates: Certificates, version: Any, client_with_certificate: Any, tighten: Callable[..., None]
) -> None:
    asked_before = tighten is not require_certificates
    server_context = certificates.server_context(version, client_ca=certificates.ca_file if asked_before else None)
    session = session_of(client_with_certificate, server_context)
    assert resumes(client_with_certificate, server_context, session)
    tighten(server_context, certificates)
    pair = Pair(client_with_certificate, server_context, session=session)
    pair.handshake()
    assert pair.server.session_reused is pair.client.session_reused is False
    assert pair.server.getpeercert(True)


@reference("CVE-2025-23419")
def test_a_client_without_a_certificate_cannot_resume_after_one_became_required(
    certificates: Certificates, version: Any
) -> None:
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    session = session_of(client_context, server_context)
    require_certificates(server_context, certificates)
    failure = Pair(client_context, server_context, session=session).until_error()
    assert failure.side == "server"
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(failure.error)


@reference("RFC 8446, 4.6.1")
def test_tickets_outlive_the_renewal_of_the_certificate_that_the_server_shows(
    certificates: Certificates, version: Any, client_with_certificate: Any
) -> None:
    """Nobody was verified by it on the server."""
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)
    session = session_of(client_with_certificate, server_context)
    server_context.load_cert_chain(*certificates.many_names)
    assert resumes(client_with_certificate, server_context, session)
    pair = Pair(client_with_certificate, server_context, server_hostname="3.example")
    pair.handshake()
    assert pair.client.session_reused is False


# A client that offers a session to whatever name it is told to, as ours never does.
@pytest.fixture
def anyones_client(hosts: Hosts, certificates: Certificates, version: Any) -> Any:
    context = certificates.client_context(version, credentials=certificates.client, module=standard)
    context.check_hostname = False
    return context


def choosing(context: Any, others: dict[str, Any]) -> Any:
    """The context, with a callback that chooses one of `others` by its name."""

    def choose(side: Any, name: str | None, _: Any) -> None:
        if name in others:
            side.context = others[name]

    context.sni_callback = choose
    return context


@reference("CVE-2025-23419", "CVE-2025-23048")
@pytest.mark.parametrize("first", [HOST, "inner.example", OTHER])
def test_a_ticket_of_one_virtual_host_does_not_resume_on_another(
    certificates: Certificates, version: Any, anyones_client: Any, first: str
) -> None:
    inner = certificates.server_context(version, client_ca=certificates.ca_file)
    other = certificates.server_context(version)
    server_context = choosing(certificates.server_context(version), {"inner.example": inner, OTHER: other})
    session = session_of(anyones_client, server_context, first)
    for second in (HOST, "inner.example", OTHER):
        pair = Pair(anyones_client, server_context, server_hostname=second, session=session)
        pair.handshake()
        assert pair.server.session_reused is pair.client.session_reused is (second == first)
        # The certificate that was verified under this name, or none.
        assert bool(pair.server.getpeercert()) is (second == "inner.example")


@reference("CVE-2025-23419", "CVE-2025-23048")
def test_a_ticket_does_not_resume_on_a_virtual_host_that_trusts_another_ca(
    certificates: Certificates, version: Any, anyones_client: Any
) -> None:
    inner = certificates.server_context(version, client_ca=certificates.ca_file)
    closed = certificates.server_context(version, client_ca=certificates.other_ca_file)
    server_context = choosing(certificates.server_context(version), {"inner.example": inner, "closed.example": closed})
    session = session_of(anyones_client, server_context, "inner.example")
    failure = Pair(anyones_client, server_context, server_hostname="closed.example", session=session).until_error()
    assert failure.side == "server"
    assert "CERTIFICATE_VERIFY_FAILED" in str(failure.error)


@reference("RFC 6066, 3")
def test_a_ticket_of_one_name_does_not_resume_under_another_of_the_same_context(
    certificates: Certificates, version: Any, anyones_client: Any
) -> None:
    """A callback may refuse names, or write them down, without choosing a context."""
    server_context = choosing(certificates.server_context(version), {})
    session = session_of(anyones_client, server_context)
    assert resumes(anyones_client, server_context, session, HOST)
    assert not resumes(anyones_client, server_context, session, OTHER)
    assert not resumes(anyones_client, server_context, session, None)


def test_a_ticket_outlives_the_reload_of_its_virtual_host_if_that_trusts_the_same(
    certificates: Certificates, version: Any, anyones_client: Any
) -> None:
    """A reload puts a new context in the place of the old one."""
    others = {OTHER: certificates.server_context(version, client_ca=certificates.ca_file)}
    server_context = choosing(certificates.server_context(version), others)
    session = session_of(anyones_client, server_context, OTHER)
    others[OTHER] = certificates.server_context(version, client_ca=certificates.ca_file)
    assert resumes(anyones_client, server_context, session, OTHER)
    others[OTHER].load_verify_locations(certificates.other_ca_file)
    assert not resumes(anyones_client, server_context, session, OTHER)


@reference("CVE-2025-23419")
@pytest.mark.parametrize("name", [HOST, OTHER])
def test_tickets_are_bound_on_sockets_too(
    certificates: Certificates, version: Any, anyones_client: Any, name: str
) -> None:
    inner = certificates.server_context(version, client_ca=certificates.ca_file)
    server_context = choosing(certificates.server_context(version), {HOST: inner})
    with Server(server_context) as server:
        with server.connect(anyones_client) as client:
            client.sendall(b"data")
            assert client.recv(4) == b"data"
            session = client.session
            client.unwrap()
        assert server.next_seen().certificate
        with server.connect(anyones_client, server_hostname=name, session=session) as client:
            assert client.session_reused is (name == HOST)
            client.unwrap()
        assert bool(server.next_seen().certificate) is (name == HOST)


@reference("CVE-2025-23419")
@pytest.mark.parametrize("name", [HOST, OTHER])
@pytest.mark.parametrize("module", [asyncio, wiretight.asyncio], ids=lambda module: module.__name__)
def test_tickets_are_bound_on_an_asyncio_server_too(
    certificates: Certificates, version: Any, anyones_client: Any, name: str, module: Any
) -> None:
    inner = certificates.server_context(version, client_ca=certificates.ca_file)
    server_context = choosing(certificates.server_context(version), {HOST: inner})
    reused = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reused.append((writer.get_extra_info("ssl_object").session_reused, bool(writer.get_extra_info("peercert"))))
        writer.write(await reader.readexactly(4))
        await writer.drain()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    def visit(port: int, name: str, session: Any = None) -> Any:
        with connect(anyones_client, (ADDRESS, port), server_hostname=name, session=session) as client:
            client.sendall(b"data")
            assert client.recv(4) == b"data"
            session = client.session
            with contextlib.suppress(standard.SSLEOFError):  # asyncio's server of Python 3.10 sends no close_notify
                client.unwrap()
            return session

    async def run() -> None:
        server = await module.start_server(echo, ADDRESS, 0, ssl=server_context)
        port = server.sockets[0].getsockname()[1]
        session = await asyncio.to_thread(visit, port, HOST)
        await asyncio.to_thread(visit, port, name, session)
        server.close()

    asyncio.run(run())
    assert reused == [(False, True), (name == HOST, name == HOST)]


# --- asyncio's client -------------------------------------------------------------------------------------------------


@reference("CVE-2026-48934")
@pytest.mark.parametrize("name", [HOST, OTHER])
def test_a_session_of_one_name_is_not_offered_to_another_by_asyncio(
    client_context: Any, server_context: Any, name: str
) -> None:
    """asyncio accepts no session, but its protocol creates an SSLObject, which does."""
    session = session_of(client_context, server_context)

    async def visit(port: int) -> bool:
        def with_session(*arguments: Any, **options: Any) -> Any:
            return wrap_bio(*arguments, **options, session=session)

        wrap_bio, client_context.wrap_bio = client_context.wrap_bio, with_session
        _, writer = await asyncio.open_connection(ADDRESS, port, ssl=client_context, server_hostname=name)
        reused = writer.get_extra_info("ssl_object").session_reused
        writer.close()
        await writer.wait_closed()
        return bool(reused)

    with Server(server_context, ragged_eof_ok=True) as server:
        assert asyncio.run(visit(server.port)) is (name == HOST)
