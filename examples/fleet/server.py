"""A server of the fleet on asyncio: server.py PORT CERTIFICATE KEY. It answers with the number of its process."""

import asyncio
import os
import sys

from context import server_context

from wiretight import asyncio as tls


async def answer(reader, writer):
    """HTTP/1.1, as much of it as the load needs."""
    body = b"%d" % os.getpid()
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            closes = b"connection: close" in request.lower()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
            if closes:
                break
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        writer.close()


async def main(port, certificate, key):
    """Serves until it is killed."""
    async with await tls.start_server(
        answer, "127.0.0.1", int(port), ssl=server_context(certificate, key), backlog=1000
    ) as server:
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
