"""aiohttp: a client and a server of HTTPS on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager

from tests.ecosystem.families.http import address
from tests.ecosystem.families.portals import listener, served
from tests.ecosystem.terms import Terms


def client(terms: Terms, port: int, data: bytes) -> bytes:
    import aiohttp

    async def fetch() -> bytes:
        connector = aiohttp.TCPConnector(ssl=terms.client_context)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.post(address(port), data=io.BytesIO(data)) as answer:
                return await answer.read()

    return asyncio.run(fetch())


def server(terms: Terms) -> AbstractContextManager[int]:
    return served(_serve(terms))


@contextlib.asynccontextmanager
async def _serve(terms: Terms) -> AsyncIterator[int]:
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    application = web.Application(client_max_size=1 << 30)
    application.router.add_post("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    with listener() as sock:
        try:
            await web.SockSite(runner, sock, ssl_context=terms.server_context).start()
            yield sock.getsockname()[1]
        finally:
            await runner.cleanup()
