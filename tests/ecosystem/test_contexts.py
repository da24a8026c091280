"""Contexts that are frozen, copied, pickled, or have a policy or callbacks to watch, handed to libraries."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import ssl as standard
from collections.abc import Callable
from typing import Any

import pytest

from tests.ecosystem.families import aiohttp, http
from tests.ecosystem.terms import HANDED, Client, Terms
from tests.kit.certificates import Certificates
from tests.kit.subject import tls
from wiretight import Policy, SSLObject, SSLSocket
from wiretight._core.context.lifecycle import settings_by_name

# Not requests: it has the context load the certificates of `verify`.
CLIENTS: dict[str, tuple[Client, str]] = {
    "urllib3": (http.urllib3_client, "urllib3"),
    "httpx": (http.httpx_client, "httpx"),
    "httpx-asyncio": (http.httpx_async_client("asyncio"), "httpx"),
    "aiohttp": (aiohttp.client, "aiohttp"),
}
MADE: dict[str, Callable[[Any], Any]] = {
    "frozen": lambda context: context.freeze(),
    "copied": lambda context: copy.copy(context.freeze()).freeze(),
    "pickled": lambda context: pickle.loads(pickle.dumps(context.freeze())),
}


@dataclasses.dataclass(frozen=True)
class Given(Terms):
    """A client with this context."""

    context: Any

    @property
    def client_context(self) -> Any:
        return self.context


@pytest.fixture(params=CLIENTS)
def post(request: pytest.FixtureRequest, certificates: Certificates) -> Callable[[Any], None]:
    """Sends data with a library that is given the context, and gets it back."""
    client, library = CLIENTS[request.param]
    pytest.importorskip(library, reason="pip install --group ecosystem")

    def post(context: Any) -> None:
        with http.standard_server(Terms(HANDED, standard, certificates, certificates.server, None)) as port:
            ours = Given(HANDED, tls, certificates, None, certificates.ca_file, context)
            assert client(ours, port, b"hello") == b"hello"

    return post


@pytest.fixture
def context(certificates: Certificates) -> Any:
    """With the protocols that a library would set, which is then no change."""
    return certificates.client_context(alpn=["http/1.1"])


@pytest.mark.parametrize("made", MADE)
def test_it_is_used_as_it_is(post: Callable[[Any], None], context: Any, made: str) -> None:
    given = MADE[made](context)
    before = settings_by_name(given)
    post(given)
    assert settings_by_name(given) == before
    assert given.frozen


def test_its_policy_is_kept_and_what_watches_it_is_called(post: Callable[[Any], None], context: Any) -> None:
    context.apply_policy(Policy.named("mozilla-modern-5.7"))
    told: list[tuple[Any, ...]] = []
    context.keylog_callback = lambda connection, line: told.append((type(connection), line.split()[0]))
    context.message_callback = lambda connection, direction, *_: told.append((type(connection), direction))
    post(context.freeze())
    assert {kind for kind, _ in told} <= {SSLSocket, SSLObject}
    assert {what for _, what in told} >= {"read", "write", "CLIENT_TRAFFIC_SECRET_0"}
    assert all(version == tls.TLSVersion.TLSv1_3 for version in (context.minimum_version, context.maximum_version))
