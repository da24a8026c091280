"""Misuse of what `ssl` has not: the right class, one sentence, and nothing half changed."""

from __future__ import annotations

import selectors
import ssl as standard
from collections.abc import Iterator
from typing import Any

import pytest

import wiretight
from tests.face.test_names import METHODS_OF_3_15
from tests.kit.certificates import Certificates
from tests.kit.misuses import OF_CONNECTIONS, OF_CONTEXTS, TOO_EARLY, TOO_LATE, Line, Scene, refuses
from tests.kit.pair import Pair
from tests.kit.sessionmisuses import OF_SESSIONS
from tests.kit.sockets import WITH_TIMEOUT, tls_sockets

CONTEXTS = {**OF_CONTEXTS, **OF_SESSIONS}
VERSIONS = {"tls12": wiretight.TLSVersion.TLSv1_2, "tls13": wiretight.TLSVersion.TLSv1_3}


def lines(table: dict[str, list[Line]]) -> list[Any]:
    return [
        pytest.param(line, id=f"{name}-{number}")
        for name, misuses in table.items()
        for number, line in enumerate(misuses, 1)
    ]


@pytest.fixture(scope="module", params=VERSIONS)
def scene(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Scene]:
    """One for all lines: they change nothing."""
    scene = Scene(certificates, VERSIONS[request.param])
    yield scene
    scene.close()


@pytest.mark.parametrize("line", lines(CONTEXTS))
def test_a_misuse_is_refused_and_nothing_changes(scene: Scene, line: Line) -> None:
    before = scene.state()
    refuses(line, scene)
    assert scene.state() == before
    assert scene.goes_on()


@pytest.fixture(scope="module", params=VERSIONS)
def ends(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[list[tuple[Any, Any]]]:
    """A connection of objects and one of sockets; of each both ends, with the other one."""
    version = VERSIONS[request.param]
    contexts = certificates.client_context(version), certificates.server_context(version)
    pair = Pair(*contexts)
    pair.handshake()
    with tls_sockets(*contexts, mode=WITH_TIMEOUT) as (client, server):
        yield [(pair.client, pair.server), (pair.server, pair.client), (client, server), (server, client)]


@pytest.mark.parametrize("line", lines(OF_CONNECTIONS))
def test_a_misuse_of_a_connection_is_refused_and_moves_nothing(ends: list[tuple[Any, Any]], line: Line) -> None:
    for end, other in ends:
        before = end.connection_info(), other.connection_info()
        refuses(line, end)
        assert (end.connection_info(), other.connection_info()) == before


@pytest.mark.parametrize("name", TOO_EARLY)
def test_before_the_handshake_it_is_refused_and_that_can_follow(pair: Pair, name: str) -> None:
    for end in (pair.client, pair.server):
        refuses(TOO_EARLY[name], end)
    assert pair.to_server.outgoing.pending == pair.to_client.outgoing.pending == 0
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"


@pytest.mark.parametrize("name", TOO_LATE)
def test_without_a_connection_it_is_refused(scene: Scene, name: str) -> None:
    refuses(TOO_LATE[name], scene.closed)


def added(ours: type, theirs: type | None = None) -> set[str]:
    """The public names of a class that the standard library's has not, in any version."""
    known = set(dir(theirs)) | set(METHODS_OF_3_15.get(ours.__name__, "").split())
    return {name for name in dir(ours) if not name.startswith("_") and name not in known}


def test_every_addition_has_a_misuse() -> None:
    assert set(OF_CONNECTIONS) >= added(wiretight.SSLSocket, standard.SSLSocket)
    assert set(OF_CONNECTIONS) >= added(wiretight.SSLObject, standard.SSLObject)
    named = set(CONTEXTS)
    for ours, theirs in (
        (wiretight.SSLContext, standard.SSLContext),
        (wiretight.Credential, object),
        (wiretight.TrustStore, object),
        (wiretight.Verification, object),
        (wiretight.Certificate, object),
        (wiretight.Policy, object),
        (wiretight.TicketKeys, object),
    ):
        assert {f"{ours.__name__}.{name}" for name in added(ours, theirs)} <= named
    own = {name for name in vars(wiretight.Selector) if name in dir(selectors.BaseSelector) and name[0] != "_"}
    assert {f"Selector.{name}" for name in own} <= named
    assert {"TrustStore", "Verification", "VerifyError", "Certificate", "Policy"} <= named


def test_there_are_more_than_a_hundred_of_contexts_and_fifty_of_connections() -> None:
    assert len(lines(CONTEXTS)) > 100
    assert len(lines(OF_CONNECTIONS)) + len(TOO_EARLY) + len(TOO_LATE) > 50
