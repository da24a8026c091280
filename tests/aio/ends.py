"""Which TLS each end has: our transport, or asyncio's with the standard `ssl`."""

from __future__ import annotations

import asyncio
import contextlib
import ssl as standard
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import wiretight
from tests.aio.protocols import Recorder
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.sockets import tcp_pair
from wiretight import asyncio as native


class Ends:
    """Creates servers of one kind and clients of one kind, each "ours" or "standard"."""

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
        """A running server, as its address."""
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
        """The protocols of a connection, client and server; at the end it is aborted if it is still open."""
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


@contextlib.asynccontextmanager
async def over_sockets(
    way: Any, ends: Ends, client: Any = Recorder, server: Any = Recorder, contexts: Any = None
) -> AsyncIterator[tuple[Any, Any]]:
    """The protocols of a connection over two sockets, client and server; at the end it is aborted if still open."""
    near, far = tcp_pair()
    for sock in (near, far):
        sock.setblocking(False)
    client_context, server_context = contexts or (ends.client_context(), ends.server_context())
    made = await asyncio.gather(way.connect(client, near, client_context), way.accept(server, far, server_context))
    async with aborting(*made):
        yield made[0], made[1]


@contextlib.asynccontextmanager
async def aborting(*protocols: Any) -> AsyncIterator[None]:
    """Aborts their connections at the end, and waits for their connection_lost()."""
    try:
        yield
    finally:
        for protocol in protocols:
            protocol.transport.abort()
            await protocol.lost()


async def closes_unused_sockets() -> bool:
    """Whether the running loop closes a program's socket that it has made no transport of (python/cpython#153133)."""

    def no_protocol() -> Any:
        raise NotImplementedError

    near, far = tcp_pair()
    with near, far:
        with pytest.raises(NotImplementedError):
            await asyncio.get_running_loop().create_connection(no_protocol, sock=near)
        return near.fileno() < 0


async def works_and_closes(client: Any, server: Any) -> None:
    """A last exchange of two protocols, after which both see a clean end."""
    client.transport.write(b"still there")
    assert await server.receive(11) == b"still there"
    client.transport.close()
    assert await client.lost() is None
    assert await server.lost() is None
