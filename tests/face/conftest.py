"""Two connected TLS sockets, client and server, for both versions of TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.sockets import WITH_TIMEOUT, tls_sockets


@pytest.fixture
def sockets(client_context: Any, server_context: Any) -> Iterator[tuple[Any, Any]]:
    """(client, server) after their handshake, with a timeout of the kit's patience."""
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT) as pair:
        yield pair


@pytest.fixture
def client(sockets: tuple[Any, Any]) -> Any:
    return sockets[0]


@pytest.fixture
def server(sockets: tuple[Any, Any]) -> Any:
    return sockets[1]
