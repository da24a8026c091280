"""The table: every exchange that the checks of test_exchanges.py are made with."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.ecosystem.families import (
    aiohttp,
    anyio,
    asgi,
    http,
    postgresql,
    processes,
    redis,
    streams,
    trio,
    websockets,
)
from tests.ecosystem.terms import HANDED, INSTALLED, OF_FILES, RUN, Exchange

EVERY_WAY = (HANDED, INSTALLED, OF_FILES)
ONLY_RUN = (RUN,)

EXCHANGES = [
    Exchange("requests", http.requests_client, http.standard_server, ("requests",), EVERY_WAY),
    Exchange("urllib3", http.urllib3_client, http.standard_server, ("urllib3",), EVERY_WAY),
    Exchange("httpx-uvicorn", http.httpx_client, asgi.uvicorn_server, ("httpx", "uvicorn", "anyio"), EVERY_WAY),
    Exchange(
        "httpx-hypercorn", http.httpx_async_client("asyncio"), asgi.hypercorn_server("asyncio"),
        ("httpx", "hypercorn", "anyio"), EVERY_WAY,
    ),
    Exchange(
        "httpx-hypercorn-http2", http.httpx_async_client("asyncio", http2=True), asgi.hypercorn_server("asyncio"),
        ("httpx", "h2", "hypercorn", "anyio"),
    ),
    Exchange(
        "httpx-hypercorn-trio", http.httpx_async_client("trio"), asgi.hypercorn_server("trio"),
        ("httpx", "hypercorn", "hypercorn.trio", "anyio", "trio"),
    ),
    Exchange("aiohttp", aiohttp.client, aiohttp.server, ("aiohttp", "aiohttp.web", "anyio")),
    Exchange("asyncio", streams.client, streams.server, ("anyio",)),
    Exchange("asyncio-start_tls", streams.start_tls_client, streams.start_tls_server, ("anyio",)),
    Exchange("uvloop", streams.uvloop_client, streams.uvloop_server, ("anyio", "uvloop")),
    Exchange("trio", trio.client, trio.server, ("anyio", "trio")),
    Exchange("anyio-asyncio", anyio.client("asyncio"), anyio.server("asyncio"), ("anyio", "anyio.streams.tls")),
    Exchange("anyio-trio", anyio.client("trio"), anyio.server("trio"), ("anyio", "anyio.streams.tls", "trio")),
    Exchange("websockets", websockets.client, websockets.server, ("anyio", "websockets.asyncio.server")),
    Exchange(
        "websockets-threads", websockets.threaded_client, websockets.threaded_server,
        ("websockets.sync.client", "websockets.sync.server"),
    ),
    Exchange("redis", redis.client, redis.server, ("redis",), EVERY_WAY),
    Exchange("redis-asyncio", redis.asyncio_client, redis.server, ("redis.asyncio",), EVERY_WAY),
    Exchange("asyncpg", postgresql.client, postgresql.server, ("asyncpg",), EVERY_WAY),
    Exchange("gevent", processes.client("gevent_streams"), processes.server("gevent_streams"), ("gevent",), ONLY_RUN),
    Exchange(
        "truststore", processes.client("truststore_urllib3"), http.standard_server, ("truststore", "urllib3"), ONLY_RUN
    ),
]  # fmt: skip

MARKS = {
    "asyncio-start_tls": pytest.mark.skipif(
        sys.version_info < (3, 11), reason="StreamWriter.start_tls came with Python 3.11"
    ),
    # What its server refuses it closes, but does not wait until that is done: the end of the loop may come first.
    "asyncpg": pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    # It leaves the generator of a body that it could not send to the garbage collector.
    "httpx-hypercorn-trio": pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning"),
}


def every_exchange() -> Iterator[object]:
    """Each exchange in each of its ways, as parameters of a test."""
    for exchange in EXCHANGES:
        for way in exchange.ways:
            marks = MARKS.get(exchange.name, ())
            yield pytest.param(exchange, way, id=f"{exchange.name}-{way}", marks=marks)
