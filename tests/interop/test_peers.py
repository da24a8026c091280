"""Other implementations of TLS, in both roles and in everything that they can do: the cells of docs/interoperation.md.

Where a peer says something of the connection, it has to say the same as our end.
"""

from __future__ import annotations

import ssl as standard
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.interop.peers.everyone import invited
from tests.interop.peers.peer import Peer, Serving
from tests.interop.peers.terms import (
    ALPN,
    CLIENT,
    CLIENT_CERTIFICATE,
    HALF_CLOSE,
    MEBIBYTE,
    PLAIN,
    RESUMPTION,
    SERVER,
    VERSIONS,
    Answer,
    Said,
    Terms,
    lines_of_digits,
)
from tests.kit.certificates import ADDRESS, Certificates
from tests.kit.servers import Seen, Server
from tests.kit.sockets import connect
from tests.kit.tap import Tap

LINES_OF_A_MEBIBYTE = (1 << 20) // 64


def in_cell(role: str, capability: str) -> pytest.MarkDecorator:
    """The cells of a test: of this role of the peer and this capability, for every peer that has both."""
    return pytest.mark.cell(role, capability)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    role, capability = metafunc.definition.get_closest_marker("cell").args
    # Where none of them can, one test says so.
    reason = f"{' and '.join(peer.name for peer in invited())} cannot: scripts/interop meets the others"
    none = pytest.param(None, None, marks=pytest.mark.skip(reason=reason), id="nobody")
    cells = [
        pytest.param(peer, version, id=f"{peer.name}-{version.name.lower().replace('v1_', '1')}")
        for peer in invited()
        for version in VERSIONS
        if peer.reason(role, capability, Terms.name_of(version)) is None
    ]
    metafunc.parametrize(("peer", "version"), cells or [none])


@pytest.fixture
def terms(
    request: pytest.FixtureRequest, peer: Peer, version: standard.TLSVersion, certificates: Certificates, tmp_path: Any
) -> Callable[..., Terms]:
    """Makes the terms of an exchange of one line, or of as many."""
    role, capability = request.node.get_closest_marker("cell").args
    cell = {"peer": peer.name, "role": role, "capability": capability, "version": Terms.name_of(version)}
    request.node.user_properties += cell.items()
    if missing := peer.missing():
        pytest.skip(missing)

    def make(lines: int = 1, **others: Any) -> Terms:
        folder = tmp_path / f"peer-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return Terms(certificates, version, folder, lines_of_digits(lines), **others)

    return make


def agree(said: Said, **facts: Any) -> None:
    """The peer's report of the connection equals this, as far as it reports it."""
    assert {name: said.get(name, fact) for name, fact in facts.items()} == facts


# --- the peer is the server --------------------------------------------------------------------------------------


class Met(NamedTuple):
    """Our end of a connection to a peer."""

    answer: bytes
    version: str
    alpn: str | None
    session: Any
    session_reused: bool


def meet(serving: Serving, terms: Terms, context: Any, session: Any = None) -> Met:
    """One exchange with a peer's server."""
    with connect(context, (ADDRESS, serving.port), session=session) as client:
        answer = serving.ask(client, terms)
        return Met(answer, client.version(), client.selected_alpn_protocol(), client.session, client.session_reused)


@in_cell(SERVER, PLAIN)
def test_a_verified_connection_to(peer, version, terms, client_context):
    terms = terms()
    with peer.serve(terms) as serving:
        met = meet(serving, terms, client_context)
        assert met.answer == terms.data
        assert met.version == terms.name
        agree(serving.said(), version=terms.name, resumed=False)


@in_cell(SERVER, CLIENT_CERTIFICATE)
def test_a_client_certificate_is_required_by(peer, version, terms, certificates, client_context):
    def refused() -> bool:
        try:
            return meet(serving, terms, client_context).answer == b""
        except (standard.SSLError, ConnectionError):
            return True

    terms = terms(demands_certificate=True)
    own = certificates.client_context(version, credentials=certificates.client)
    with peer.serve(terms) as serving:
        assert meet(serving, terms, own).answer == terms.data
        assert serving.said().get("certificate", "somebody's")
        assert refused()


@in_cell(SERVER, RESUMPTION)
def test_a_session_is_resumed_by(peer, version, terms, client_context):
    terms = terms(resume=True)
    with peer.serve(terms) as serving:
        first = meet(serving, terms, client_context)
        assert (first.answer, first.session_reused) == (terms.data, False)
        second = meet(serving, terms, client_context, first.session)
        assert (second.answer, second.session_reused) == (terms.data, True)
        agree(serving.said(), resumed=True)


@in_cell(SERVER, ALPN)
def test_an_application_protocol_is_chosen_by(peer, version, terms, certificates):
    terms = terms(alpn=("http/1.1",))
    with peer.serve(terms) as serving:
        met = meet(serving, terms, certificates.client_context(version, alpn=["h2", "http/1.1"]))
        assert (met.answer, met.alpn) == (terms.data, "http/1.1")
        agree(serving.said(), alpn="http/1.1")


@in_cell(SERVER, MEBIBYTE)
def test_a_mebibyte_is_echoed_by(peer, version, terms, client_context):
    terms = terms(LINES_OF_A_MEBIBYTE)
    with peer.serve(terms) as serving:
        assert meet(serving, terms, client_context).answer == terms.data


@in_cell(SERVER, HALF_CLOSE)
def test_a_response_after_our_close_notify_comes_from(peer, version, terms, client_context):
    terms = terms(half_close=True)
    with peer.serve(terms) as serving, Tap(serving.port) as tap:
        assert meet(serving._replace(port=tap.port), terms, client_context).answer == terms.data
    assert [client for client, _ in tap.goodbyes()] == [True]


# --- the peer is the client --------------------------------------------------------------------------------------


def answer_call(peer: Peer, terms: Terms, context: Any) -> tuple[Answer, list[Seen]]:
    """One exchange with a peer's client, and what our server saw of each connection."""
    handler = peer.serve_our_end(terms)
    with Server(context, handler, ragged_eof_ok=True, errors_ok=peer.begins_again) as server:
        answer = peer.call(terms, server.port)
    return answer, server.all_seen()


@in_cell(CLIENT, PLAIN)
def test_a_verified_connection_of(peer, version, terms, server_context):
    terms = terms()
    answer, seen = answer_call(peer, terms, server_context)
    assert answer.data == terms.data, answer.said
    assert seen[-1].version == terms.name
    agree(answer.said, version=terms.name, resumed=False)


@in_cell(CLIENT, PLAIN)
def test_a_server_of_another_ca_is_rejected_by(peer, version, terms, certificates):
    if not peer.verifies:
        pytest.skip(f"{peer.name} checks no certificate chains")
    terms = terms()
    context = certificates.server_context(version, credentials=certificates.server_of_other_ca)
    with Server(context, peer.serve_our_end(terms), errors_ok=True) as server:
        assert peer.call(terms, server.port).data == b""


@in_cell(CLIENT, CLIENT_CERTIFICATE)
def test_the_required_client_certificate_of(peer, version, terms, certificates):
    terms = terms(client_credentials=certificates.client)
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    answer, seen = answer_call(peer, terms, context)
    assert answer.data == terms.data, answer.said
    assert ("email", "client@example.org") in seen[-1].certificate["subjectAltName"]


@in_cell(CLIENT, CLIENT_CERTIFICATE)
def test_no_client_certificate_of(peer, version, terms, certificates):
    terms = terms()
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    with Server(context, peer.serve_our_end(terms), errors_ok=True) as server:
        assert peer.call(terms, server.port).data == b""
        assert isinstance(server.next_error(), standard.SSLError)


@in_cell(CLIENT, RESUMPTION)
def test_a_session_is_resumed_for(peer, version, terms, server_context):
    terms = terms(resume=True)
    answer, seen = answer_call(peer, terms, server_context)
    assert answer.data == terms.data, answer.said
    assert not seen[0].session_reused
    # Of the last one, unless it is a browser, which makes connections as it likes.
    assert any(connection.session_reused for connection in (seen[1:] if peer.begins_again else seen[-1:]))
    agree(answer.said, resumed=True)


@in_cell(CLIENT, ALPN)
def test_an_application_protocol_is_chosen_for(peer, version, terms, certificates):
    terms = terms(alpn=("h2", "http/1.1"))
    answer, seen = answer_call(peer, terms, certificates.server_context(version, alpn=["http/1.1"]))
    assert answer.data == terms.data, answer.said
    assert seen[-1].alpn == "http/1.1"
    agree(answer.said, alpn="http/1.1")


@in_cell(CLIENT, MEBIBYTE)
def test_a_mebibyte_is_echoed_to(peer, version, terms, server_context):
    terms = terms(LINES_OF_A_MEBIBYTE)
    answer, _ = answer_call(peer, terms, server_context)
    assert answer.data == terms.data, answer.said


@in_cell(CLIENT, HALF_CLOSE)
def test_a_response_after_its_close_notify_reaches(peer, version, terms, server_context):
    terms = terms(half_close=True)
    with Server(server_context, peer.serve_our_end(terms), ragged_eof_ok=True) as server, Tap(server.port) as tap:
        answer = peer.call(terms, tap.port)
    assert answer.data == terms.data, answer.said
    assert tap.goodbyes() == [(True, True)]
