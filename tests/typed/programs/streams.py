"""asyncio with TLS: streams, a server, STARTTLS, protocols."""

import asyncio
import ssl
from typing import cast

from typing_extensions import assert_type


async def fetch(host: str, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection(host, 443, ssl=context, server_hostname=host)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    await writer.drain()
    data = await reader.read()
    tls = cast("ssl.SSLObject | None", writer.get_extra_info("ssl_object"))
    if tls is not None:
        assert_type(tls.version(), str | None)
    writer.close()
    return data


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readline())
    await writer.drain()


async def serve(context: ssl.SSLContext) -> asyncio.AbstractServer:
    return await asyncio.start_server(echo, "localhost", 0, ssl=context, ssl_handshake_timeout=10)


class Upgrading(asyncio.Protocol):
    """Plain first, then TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    async def upgrade(self, transport: asyncio.Transport, host: str) -> asyncio.Transport | None:
        loop = asyncio.get_running_loop()
        return await loop.start_tls(transport, self, self.context, server_hostname=host)


async def connect(context: ssl.SSLContext) -> asyncio.BaseTransport:
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_connection(
        lambda: Upgrading(context), "localhost", 443, ssl=context, server_hostname="localhost"
    )
    return transport


if __name__ == "__main__":
    asyncio.run(fetch("localhost", ssl.create_default_context()))
