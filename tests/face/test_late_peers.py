"""A session store and sockets whose peer is not known when they are wrapped, or never."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.certificates import Certificates
from tests.kit.servers import Server
from tests.kit.sessions import Recorder
from tests.kit.sockets import unix_pair
from tests.kit.threads import Task


@pytest.fixture
def store(client_context: Any) -> Recorder:
    client_context.session_store = store = Recorder()
    return store


@pytest.mark.parametrize(
    "begin",
    [lambda it: it.do_handshake(), lambda it: it.sendall(b"x"), lambda it: it.peek()],
    ids=["do_handshake", "sendall", "peek"],
)
def test_a_handshake_that_a_read_or_a_write_begins_resumes_too(
    store: Recorder, client_context: Any, server_context: Any, begin: Callable[[Any], Any]
) -> None:
    with Server(server_context, lambda peer: peer.sendall(b"data") or peer.recv(1)) as server:
        for i in range(3):
            with client_context.wrap_socket(
                socket.socket(), server_hostname="localhost", do_handshake_on_connect=False
            ) as client:
                client.connect(server.address)
                begin(client)
                assert client.recv(4) == b"data"
                assert client.session_reused is (i > 0)
                client.unwrap().close()
    assert set(store.got) == set(store.asked)


@pytest.mark.parametrize("is_connected", [False, True])
def test_with_a_session_that_was_passed_the_new_ones_are_kept_for_this_server(
    store: Recorder, client_context: Any, server_context: Any, is_connected: bool
) -> None:
    seen: list[Any] = []
    client_context.new_session_callback = lambda _, session: seen.append(session)
    with Server(server_context) as server:
        for passes in (False, True, True, False):
            plain = socket.create_connection(server.address) if is_connected else socket.socket()
            options = {"session": seen[-1]} if passes else {}
            asked = len(store.asked)
            with client_context.wrap_socket(plain, server_hostname="localhost", **options) as client:
                if not is_connected:
                    client.connect(server.address)
                client.sendall(b"data")
                assert client.recv(4) == b"data"
                assert len(store.asked) - asked == (not passes)
                client.unwrap().close()
    assert set(store.got) == set(store.asked)
    assert len(set(store.got)) == 1


def test_a_session_that_is_set_before_the_peer_is_known_is_the_one_that_is_offered(
    store: Recorder, client_context: Any, server_context: Any
) -> None:
    seen: list[Any] = []
    client_context.new_session_callback = lambda _, session: seen.append(session)
    with Server(server_context) as server:
        for sets in (False, True):
            with client_context.wrap_socket(
                socket.socket(), server_hostname="localhost", do_handshake_on_connect=False
            ) as client:
                client.setblocking(False)
                client.connect_ex(server.address)
                if sets:
                    client.session = seen[-1]
                before = len(store.sessions)
                client.setblocking(True)
                client.do_handshake()
                assert client.session_reused is sets
                assert len(store.sessions) >= before
                client.sendall(b"data")
                assert client.recv(4) == b"data"
                client.unwrap().close()
    assert len(set(store.got)) == 1


def test_a_server_that_nobody_can_name_is_not_asked_for(
    certificates: Certificates, version: Any, server_context: Any
) -> None:
    """One UNIX socket without a name may be another server than the next."""
    context = certificates.client_context(version)
    context.check_hostname = False
    context.session_store = store = Recorder()
    for name in (None, "localhost"):
        ours, theirs = unix_pair()
        served = Task(server_context.wrap_socket, theirs, server_side=True)
        with context.wrap_socket(ours, server_hostname=name) as client, contextlib.closing(served.result()) as server:
            server.sendall(b"data")
            assert client.recv(4) == b"data"
        assert len(store.asked) == (name is not None)
        assert bool(store.got) is (name is not None)
