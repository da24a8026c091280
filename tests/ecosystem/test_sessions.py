"""A context with a session store, handed to libraries: they resume without knowing of it."""

from __future__ import annotations

import ssl as standard

import pytest

from tests.ecosystem.families import aiohttp, http
from tests.ecosystem.terms import HANDED, Client, Terms
from tests.ecosystem.test_contexts import Given
from tests.kit.certificates import Certificates
from tests.kit.subject import tls

CLIENTS: dict[str, tuple[Client, str]] = {
    "requests": (http.requests_client, "requests"),
    "urllib3": (http.urllib3_client, "urllib3"),
    "httpx": (http.httpx_client, "httpx"),
    "httpx-asyncio": (http.httpx_async_client("asyncio"), "httpx"),
    "httpx-trio": (http.httpx_async_client("trio"), "httpx"),
    "aiohttp": (aiohttp.client, "aiohttp"),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_second_connection_to_a_server_resumes(certificates: Certificates, version: object, name: str) -> None:
    client, library = CLIENTS[name]
    pytest.importorskip(library, reason="pip install --group ecosystem")
    context = certificates.client_context(version, alpn=["http/1.1"])
    context.session_store = store = tls.MemorySessionStore()
    terms = Given(HANDED, tls, certificates, None, certificates.ca_file, context)
    with http.standard_server(Terms(HANDED, standard, certificates, certificates.server, None)) as port:
        hits = []
        for _ in range(3):
            assert client(terms, port, b"hello") == b"hello"
            hits.append(context.session_stats()["hits"])
    assert hits[0] == 0
    assert hits[1] < hits[2]
    assert len(store) > 0
