"""uvicorn and hypercorn: servers of HTTPS, with an application that sends back what it gets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any

from tests.ecosystem.families.portals import listener, served
from tests.ecosystem.terms import Server, Terms


async def application(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    body = bytearray()
    while True:
        event = await receive()
        body += event["body"]
        if not event["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": bytes(body)})


def uvicorn_server(terms: Terms) -> AbstractContextManager[int]:
    return served(_serve_uvicorn(terms))


@contextlib.asynccontextmanager
async def _serve_uvicorn(terms: Terms) -> AsyncIterator[int]:
    import uvicorn

    if terms.of_files:
        chain, key = terms.credentials
        options = {"ssl_certfile": chain, "ssl_keyfile": key}
        if terms.ca_file:
            options |= {"ssl_ca_certs": terms.ca_file, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    else:
        context = terms.server_context
        options = {"ssl_context_factory": lambda config, default: context}
    config = uvicorn.Config(application, lifespan="off", log_level="critical", **options)
    server = uvicorn.Server(config)
    with listener() as sock:
        serving = asyncio.create_task(server.serve([sock]))
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


def hypercorn_server(backend: str) -> Server:
    def server(terms: Terms) -> AbstractContextManager[int]:
        return served(_serve_hypercorn(terms, backend), backend)

    return server


@contextlib.asynccontextmanager
async def _serve_hypercorn(terms: Terms, backend: str) -> AsyncIterator[int]:
    import anyio
    import hypercorn

    if backend == "asyncio":
        from hypercorn.asyncio import serve
    else:
        from hypercorn.trio import serve

    class Config(hypercorn.Config):
        def create_ssl_context(self) -> Any:
            if terms.of_files:
                return super().create_ssl_context()
            context = terms.server_context
            context.set_alpn_protocols(self.alpn_protocols)
            return context

    config = Config()
    config.errorlog = None
    config.keep_alive_timeout = 0.5  # on trio it waits for that, when a client has just closed
    config.certfile, config.keyfile = map(str, terms.credentials)
    if terms.ca_file:
        config.ca_certs, config.verify_mode = str(terms.ca_file), ssl.CERT_REQUIRED
    stop = anyio.Event()
    sock = listener()
    port = sock.getsockname()[1]
    config.bind = [f"fd://{sock.detach()}"]
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: serve(application, config, shutdown_trigger=stop.wait))
        try:
            yield port
        finally:
            stop.set()
