"""A session never claims stronger verification than its handshake had, whatever is changed afterwards.

The table: everything that a verification depends on, times every moment and every way to change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.incidents.references import reference
from tests.incidents.test_sessions import (
    SETTINGS,
    Hosts,
    ca_data,
    client_context,
    default_paths,
    directory,
    hosts,
    other_ca,
    own_certificate,
    require_certificates,
    resumes,
    server_context,
    session_of,
)  # fmt: skip
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.subject import tls

pytestmark = reference("RFC 8446, 4.6.1", "CVE-2025-23419")

__all__ = ["client_context", "hosts", "server_context"]  # fixtures

TLS13 = tls.TLSVersion.TLSv1_3


def weaker_level(context: Any) -> None:
    context.set_ciphers("ECDHE+AESGCM:@SECLEVEL=0")


ALGORITHMS = {"set_ciphers", "set_server_sigalgs", "set_client_sigalgs"}
WEAKENING = [*SETTINGS, weaker_level]
LOADING = [other_ca, ca_data, directory, default_paths, own_certificate]
MOMENTS = ["made", "shaking", "shaken"]


def strengthen(context: Any) -> None:
    """As a new context of the tests is."""
    fresh = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode, context.check_hostname = fresh.verify_mode, fresh.check_hostname
    context.verify_flags, context._host_flags = fresh.verify_flags, fresh._host_flags
    choose_algorithms(context)


def choose_algorithms(context: Any) -> None:
    context.set_ciphers("ECDHE+AESGCM:@SECLEVEL=2")
    context.set_server_sigalgs(STRONG)
    context.set_client_sigalgs(STRONG)


STRONG = "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256"


def session_across(client_context: Any, server_context: Any, moment: str, change: Callable[[Pair], None]) -> Any:
    """The session of a connection that the change happens to: its tickets arrive after it."""
    pending = [moment]

    def watch(*_: Any) -> None:
        if pending == ["shaking"] and hasattr(watch, "pair"):
            pending.clear()
            change(watch.pair)

    client_context._msg_callback = watch
    pair = watch.pair = Pair(client_context, server_context)  # type: ignore[attr-defined]
    client_context._msg_callback = None
    if moment == "made":
        change(pair)
    pair.handshake()
    assert moment != "shaking" or not pending
    if moment == "shaken":
        change(pair)
    assert pair.transfer(b"data", pair.server) == b"data"
    session = pair.client.session
    assert session.has_ticket
    return session


@pytest.fixture
def strict(hosts: Hosts, version: Any) -> Any:
    context = hosts.client_context(version)
    choose_algorithms(context)
    return context


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("weaken", WEAKENING)
def test_a_session_is_not_upgraded_when_its_context_becomes_stricter(
    strict: Any, server_context: Any, moment: str, weaken: Callable[[Any], None]
) -> None:
    weaken(strict)
    session = session_across(strict, server_context, moment, lambda pair: strengthen(strict))
    assert not resumes(strict, server_context, session)
    again = session_of(strict, server_context)
    assert resumes(strict, server_context, again)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("weaken", WEAKENING)
def test_a_session_stays_valid_after_its_context_was_temporarily_weakened(
    strict: Any, server_context: Any, moment: str, weaken: Callable[[Any], None]
) -> None:
    session = session_across(strict, server_context, moment, lambda pair: weaken(strict))
    assert not resumes(strict, server_context, session)
    strengthen(strict)
    assert resumes(strict, server_context, session)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("load", LOADING)
def test_a_load_during_a_connection_invalidates_its_session(
    strict: Any, server_context: Any, certificates: Certificates, moment: str, load: Callable[..., None]
) -> None:
    session = session_across(strict, server_context, moment, lambda pair: load(strict, certificates))
    assert not resumes(strict, server_context, session)


@reference("Python, ssl.SSLSocket.context")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("weaken", WEAKENING)
def test_a_session_is_not_upgraded_by_another_context(
    hosts: Hosts, version: Any, strict: Any, server_context: Any, moment: str, weaken: Callable[[Any], None]
) -> None:
    """Its name check, for example, is that of the connection's first context."""
    lax = hosts.client_context(version)
    choose_algorithms(lax)
    weaken(lax)
    session = session_across(lax, server_context, moment, lambda pair: setattr(pair.client, "context", strict))
    is_taken_over = moment == "made" and not ALGORITHMS.isdisjoint(weaken.__code__.co_names)
    assert resumes(strict, server_context, session) is is_taken_over


@reference("Python, ssl.SSLSocket.context", "CVE-2016-5419")
@pytest.mark.parametrize("moment", ["shaking", "shaken"])
def test_a_session_is_not_upgraded_by_a_context_with_other_loaded_certificates(
    hosts: Hosts, version: Any, strict: Any, server_context: Any, moment: str
) -> None:
    other = hosts.client_context(version)
    choose_algorithms(other)
    kept: list[Any] = []

    def switch(pair: Pair) -> None:
        kept.append(pair)
        pair.client.context = other

    session = session_across(strict, server_context, moment, switch)
    assert not resumes(other, server_context, session)
    kept[0].client.context = strict
    assert not resumes(strict, server_context, kept[0].client.session)


@reference("Python, ssl.SSLSocket.context")
def test_a_handshake_verifies_with_the_trust_from_its_beginning(
    hosts: Hosts, certificates: Certificates, version: Any, server_context: Any
) -> None:
    distrusting = certificates.client_context(version)
    with pytest.raises(tls.SSLCertVerificationError):
        session_across(
            distrusting, server_context, "shaking",
            lambda pair: setattr(pair.client, "context", hosts.client_context(version)),
        )  # fmt: skip


@reference("RFC 8446, 4.6.2", "Python, ssl.SSLSocket.verify_client_post_handshake")
@pytest.mark.parametrize("switches", [0, 1, 2])
def test_a_certificate_requested_later_is_verified_as_in_the_handshake(
    certificates: Certificates, switches: int
) -> None:
    """The session that follows it is bound to the context that the server began with."""
    outer = certificates.server_context(TLS13, client_ca=certificates.other_ca_file)
    other = certificates.server_context(TLS13, client_ca=certificates.ca_file)
    client = certificates.client_context(TLS13, credentials=certificates.client)
    for context in (outer, other, client):
        context.post_handshake_auth = True
    pair = Pair(client, outer)
    pair.handshake()
    for _ in range(switches):
        pair.server.context = other
    pair.server.verify_client_post_handshake()
    pair.transfer(b"data", pair.server)
    with pytest.raises(tls.SSLCertVerificationError):
        pair.transfer(b"data", pair.client)


@reference("Python, ssl.SSLSocket.context")
def test_a_certificate_that_is_asked_for_later_is_signed_as_the_handshake_would_have(
    certificates: Certificates,
) -> None:
    outer, other = (certificates.server_context(TLS13, client_ca=certificates.ca_file) for _ in range(2))
    client = certificates.client_context(TLS13, credentials=certificates.client)
    outer.set_client_sigalgs("RSA-PSS+SHA256")  # the client has no such key
    for context in (outer, other, client):
        context.verify_mode, context.post_handshake_auth = tls.CERT_OPTIONAL, True
    pair = Pair(client, outer)
    pair.handshake()
    pair.server.context = other
    pair.server.verify_client_post_handshake()
    pair.transfer(b"data", pair.server)
    pair.transfer(b"data", pair.client)
    assert pair.server.getpeercert() is None


@reference("CVE-2025-23419")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_servers_ticket_is_bound_to_the_settings_of_its_connection(
    certificates: Certificates, version: Any, moment: str
) -> None:
    """Nobody verified this client, though the context requires certificates by the time that the tickets are sent."""
    client = certificates.client_context(version, credentials=certificates.client)
    server = certificates.server_context(version)
    session = session_across(client, server, moment, lambda pair: require_certificates(server, certificates))
    pair = Pair(client, server, server_hostname=HOST, session=session)
    pair.handshake()
    assert pair.client.session_reused is False
    assert pair.server.getpeercert()


def test_a_session_is_not_offered_under_a_context_set_later_that_does_not_trust_its_server(
    certificates: Certificates, version: Any, client_context: Any, server_context: Any
) -> None:
    pair = Pair(client_context, server_context, session=session_of(client_context, server_context))
    pair.client.context = certificates.client_context(version)
    failure = pair.until_error()
    assert failure.side == "client"
    assert isinstance(failure.error, tls.SSLCertVerificationError)
