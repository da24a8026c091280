"""Sessions: taken from one connection, resumed by the next."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from tests.kit.pair import Pair, attempt
from tests.kit.sockets import tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import Task


@pytest.fixture
def session(pair: Pair) -> Any:
    """Of a connection that has read something: in TLS 1.3 the ticket arrives with it."""
    pair.handshake()
    pair.transfer(b"data", pair.server)
    return pair.client.session


def test_a_session_is_resumed(session: Any, client_context: Any, server_context: Any) -> None:
    assert session.has_ticket
    again = Pair(client_context, server_context, session=session)
    again.handshake()
    assert again.client.session_reused is again.server.session_reused is True
    assert again.client.get_unverified_chain()[0] == again.client.getpeercert(True)
    assert again.transfer(b"data", again.client) == b"data"


@pytest.mark.parametrize("ending", ["close", "unwrap", "none"])
def test_a_session_outlives_its_connection(client_context: Any, server_context: Any, ending: str) -> None:
    with tls_sockets(client_context, server_context) as (client, server):
        server.sendall(b"data")
        client.recv(4)
        session = client.session
        if ending == "unwrap":
            task = Task(server.unwrap)
            client.unwrap()
            task.result()
        elif ending == "close":
            client.close()
    with tls_sockets(client_context, server_context, session=session) as (client, _):
        assert client.session_reused is True


def test_a_session_can_be_set_before_the_handshake(session: Any, client_context: Any, server_context: Any) -> None:
    again = Pair(client_context, server_context)
    again.client.session = session
    again.handshake()
    assert again.client.session_reused is True


def test_a_session_is_rejected_on_a_server(
    session: Any, pair: Pair, client_context: Any, server_context: Any, certificates: Any
) -> None:
    with pytest.raises(ValueError, match="Cannot set session after handshake"):
        pair.client.session = session
    with pytest.raises(TypeError, match="Value is not a SSLSession"):
        pair.client.session = 3
    other = Pair(certificates.client_context(), server_context)
    with pytest.raises(ValueError, match="Session refers to a different SSLContext"):
        other.client.session = session
    with pytest.raises(ValueError, match=r"Cannot set session for server-side|Session refers to a different"):
        other.server.session = session
    with pytest.raises(TypeError, match="Value is not a SSLSession"):
        client_context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname="localhost", session=3)


def test_a_session_reports_its_times(session: Any) -> None:
    assert isinstance(session.id, bytes)
    assert session.time > 1_500_000_000
    assert session.timeout > 0
    assert session.ticket_lifetime_hint > 0


def test_sessions_are_equal_by_id_and_have_no_hash(session: Any, pair: Pair) -> None:
    assert session == pair.client.session
    assert session != 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(session)


@pytest.mark.parametrize("copied", [copy.copy, pickle.dumps])
def test_a_session_cannot_be_copied_pickled_or_created(session: Any, copied: Any) -> None:
    with pytest.raises(TypeError, match="SSLSession"):
        copied(session)
    with pytest.raises(TypeError, match="SSLSession"):
        tls.SSLSession()


def test_a_context_counts_its_sessions(session: Any, client_context: Any, server_context: Any) -> None:
    Pair(client_context, server_context, session=session).handshake()
    assert client_context.session_stats()["connect_good"] == 2
    assert server_context.session_stats()["hits"] == 1


def test_a_session_cannot_be_set_in_the_middle_of_a_handshake(pair):
    attempt(pair.client.do_handshake)
    begun = pair.client.session
    with pytest.raises(ValueError, match="once the handshake has begun"):
        pair.client.session = begun
    pair.handshake()
