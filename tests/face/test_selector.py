"""wiretight.Selector: select() knows of what has been decrypted and not yet been read."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.sockets import NON_BLOCKING, driven, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@pytest.fixture
def selector() -> Iterator[Any]:
    with tls.Selector() as selector:
        yield selector


@pytest.fixture
def sockets(client_context: Any, server_context: Any) -> Iterator[tuple[Any, Any]]:
    """(client, server); the client has read half of what the server sent, and the rest is decrypted."""
    with tls_sockets(client_context, server_context, mode=NON_BLOCKING) as (client, server):
        server.send(b"0123456789")
        assert driven(client, client.recv, 5) == b"01234"
        yield client, server


def test_it_returns_at_once_while_data_is_pending(selector: Any, sockets: Any) -> None:
    client, _ = sockets
    key = selector.register(client, READ, "the client")
    for timeout in (None, 0, PATIENCE):
        assert selector.select(timeout) == [(key, READ)]
    assert client.recv(10) == b"56789"
    assert selector.select(0) == []


def test_one_of_the_standard_library_does_not(sockets: Any) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(sockets[0], READ)
        assert selector.select(0) == []


def test_what_the_descriptor_reports_is_there_too_and_once(selector: Any, sockets: Any) -> None:
    client, server = sockets
    near, far = socket.socketpair()
    with near, far:
        reading = selector.register(client, READ | WRITE)
        plain = selector.register(near, READ)
        far.send(b"x")
        server.send(b"more")
        ready = selector.select(PATIENCE)
        assert sorted(ready, key=lambda each: each[0].fd) == sorted(
            [(reading, READ | WRITE), (plain, READ)], key=lambda each: each[0].fd
        )


def test_only_who_wants_to_read_is_told(selector: Any, sockets: Any) -> None:
    client, _ = sockets
    writing = selector.register(client, WRITE)
    assert selector.select(PATIENCE) == [(writing, WRITE)]
    reading = selector.modify(client, READ, "now reading")
    assert selector.select(PATIENCE) == [(reading, READ)]
    assert reading.data == "now reading"
    selector.modify(client, WRITE)
    assert [events for _, events in selector.select(PATIENCE)] == [WRITE]


def test_who_is_no_longer_registered_is_not_told(selector: Any, sockets: Any) -> None:
    client, _ = sockets
    selector.register(client, READ)
    selector.unregister(client)
    assert selector.select(0) == []
    assert not selector.get_map()


def test_it_still_waits_for_all_others(selector: Any, sockets: Any) -> None:
    client, server = sockets
    key = selector.register(client, READ)
    client.recv(10)
    server.send(b"arrives")
    assert selector.select(PATIENCE) == [(key, READ)]
    assert driven(client, client.recv, 10) == b"arrives"


def test_a_closed_socket_is_never_ready(selector: Any, sockets: Any) -> None:
    client, _ = sockets
    selector.register(client, READ)
    client.close()
    assert selector.select(0) == []
    selector.unregister(client)


def test_a_descriptor_alone_is_watched_as_ever(selector: Any, sockets: Any) -> None:
    selector.register(sockets[0].fileno(), READ)
    assert selector.select(0) == []


def test_a_second_registration_is_refused_and_the_first_stays(selector: Any, sockets: Any) -> None:
    key = selector.register(sockets[0], READ)
    with pytest.raises(KeyError):
        selector.register(sockets[0], WRITE)
    assert selector.select(0) == [(key, READ)]


def test_a_socket_that_cannot_be_modified_is_no_longer_registered(
    selector: Any, sockets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the selectors of the standard library have it."""

    def fail(*_: Any) -> Any:
        raise OSError("refused")

    class Failing:
        modify = fail

    client, _ = sockets
    selector.register(client, READ)
    with monkeypatch.context() as patch:
        patch.setattr(selector, "_selector", Failing())
        with pytest.raises(OSError, match="refused"):
            selector.modify(client, READ | WRITE)
    assert selector.select(0) == []


def test_it_is_empty_once_it_is_closed(sockets: Any) -> None:
    selector = tls.Selector()
    selector.register(sockets[0], READ)
    selector.close()
    assert selector.get_map() is None
