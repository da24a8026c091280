"""The peers of the core's tests."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.peer import Peer
from tests.kit.certificates import Certificates
from tests.kit.sockets import TRANSPORTS, tls_transport
from tests.kit.subject import tls

Transport = Callable[[], tuple[socket.socket, socket.socket]]


@pytest.fixture(params=TRANSPORTS, ids=lambda transport: transport.__name__.removesuffix("_pair"))
def plain_transport(request: pytest.FixtureRequest) -> Transport:
    """TCP, whose kernel discards peeked bytes, and AF_UNIX, where they must be copied out."""
    return request.param


@pytest.fixture(
    params=[*TRANSPORTS, tls.TLSVersion.TLSv1_2, tls.TLSVersion.TLSv1_3], ids=["tcp", "unix", "in-tls12", "in-tls13"]
)
def transport(request: pytest.FixtureRequest, certificates: Certificates) -> Transport:
    """The same, and another connection of TLS, of this version."""
    if request.param in TRANSPORTS:
        return request.param
    contexts = certificates.client_context(request.param), certificates.server_context(request.param)
    return tls_transport(*contexts)


@pytest.fixture
def peer(client_context: Any, server_context: Any, transport: Transport) -> Iterator[Peer]:
    """A client's SSLSocket after its handshake, and the other end, which the test controls."""
    with Peer(client_context, server_context, transport=transport) as peer:
        yield peer


@pytest.fixture
def child_environment() -> dict[str, str]:
    """For another interpreter, that imports what this one does."""
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
