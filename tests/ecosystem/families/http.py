"""requests, urllib3 and httpx: clients of HTTPS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from tests.ecosystem.terms import Client, Terms
from tests.interop.test_http import https_server
from tests.kit.certificates import HOST
from tests.kit.threads import PATIENCE


def address(port: int) -> str:
    return f"https://{HOST}:{port}/"


@contextlib.contextmanager
def standard_server(terms: Terms) -> Iterator[int]:
    """http.server, in threads."""
    with https_server(terms.server_context) as port:
        yield port


def requests_client(terms: Terms, port: int, data: bytes) -> bytes:
    import requests

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, ssl_context=terms.client_context, **options)

    with requests.Session() as session:
        session.trust_env = False
        if terms.of_files:
            session.verify = str(terms.ca_file)
            session.cert = tuple(map(str, terms.credentials)) if terms.credentials else None
        else:
            session.mount("https://", Adapter())
            session.verify = str(terms.ca_file)
        return session.post(address(port), data=data, timeout=PATIENCE).content


def urllib3_client(terms: Terms, port: int, data: bytes) -> bytes:
    import urllib3

    if terms.of_files:
        chain, key = map(str, terms.credentials) if terms.credentials else (None, None)
        options = {"ca_certs": str(terms.ca_file), "cert_file": chain, "key_file": key}
    else:
        options = {"ssl_context": terms.client_context}
    with urllib3.PoolManager(retries=False, timeout=PATIENCE, **options) as pool:
        return pool.request("POST", address(port), body=data).data


def httpx_client(terms: Terms, port: int, data: bytes) -> bytes:
    import httpx

    with httpx.Client(verify=terms.client_context, timeout=PATIENCE, trust_env=False) as client:
        return client.post(address(port), content=data).content


def httpx_async_client(backend: str, *, http2: bool = False) -> Client:
    async def fetch(terms: Terms, port: int, data: bytes) -> bytes:
        import httpx

        options = {"timeout": PATIENCE, "trust_env": False, "http2": http2}
        async with httpx.AsyncClient(verify=terms.client_context, **options) as client:
            answer = await client.post(address(port), content=data)
            assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            return answer.content

    def client(terms: Terms, port: int, data: bytes) -> bytes:
        if backend == "asyncio":
            return asyncio.run(fetch(terms, port, data))
        import trio

        return trio.run(fetch, terms, port, data)

    return client
