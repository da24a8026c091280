"""Who is at which end: our transport, or asyncio with the standard `ssl`."""

from __future__ import annotations

import asyncio
import contextlib
import ssl as standard
from collections.abc import AsyncIterator, Callable
from typing import Any

import wiretight
from tests.aio.protocols import Recorder
from tests.kit.certificates import ADDRESS, HOST, Certificates
from wiretight import asyncio as native


class Ends:
    """Makes servers and clients of one kind each: "ours" or "standard"."""

    def __init__(self, certificates: Certificates, version: Any, client: str = "ours", server: str = "ours") -> None:
        self.certificates = certificates
        self.version = version
        self.client = client
        self.server = server

    def client_context(self, **options: Any) -> Any:
        module = wiretight if self.client == "ours" else standard
        return self.certificates.client_context(self.version, module=module, **options)

    def server_context(self, **options: Any) -> Any:
        module = wiretight if self.server == "ours" else standard
        return self.certificates.server_context(self.version, module=module, **options)

    @contextlib.asynccontextmanager
    async def serving(self, factory: Callable[[], Any], **options: Any) -> AsyncIterator[tuple[str, int]]:
        """A server, by its address."""
        make = native.create_server if self.server == "ours" else asyncio.get_running_loop().create_server
        options = {"ssl": self.server_context(), **options}
        server = await make(factory, ADDRESS, 0, **options)
        try:
            yield server.sockets[0].getsockname()
        finally:
            server.close()

    async def connect(self, factory: Callable[[], Any], address: tuple[str, int], **options: Any) -> Any:
        """The protocol of a connection to a server."""
        make = native.create_connection if self.client == "ours" else asyncio.get_running_loop().create_connection
        options = {"ssl": self.client_context(), "server_hostname": HOST, **options}
        _, protocol = await make(factory, *address, **options)
        return protocol

    @contextlib.asynccontextmanager
    async def connected(
        self, client: Callable[[], Any] = Recorder, server: Callable[[], Any] = Recorder, **options: Any
    ) -> AsyncIterator[tuple[Any, Any]]:
        """The protocols of a connection, client and server; what is left of it is aborted at the end."""
        arrived = asyncio.get_running_loop().create_future()

        def factory() -> Any:
            protocol = server()
            made = protocol.connection_made

            def connection_made(transport: Any) -> None:
                protocol.transport = transport
                made(transport)
                arrived.set_result(protocol)

            protocol.connection_made = connection_made
            return protocol

        async with self.serving(factory) as address:
            near = await self.connect(client, address, **options)
            far = await arrived
            try:
                yield near, far
            finally:
                for protocol in (near, far):
                    if protocol.transport is not None:
                        protocol.transport.abort()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
