"""Fetch a page under asyncio: asyncio_client.py HOST PORT [CA_FILE]. The TLS is asyncio's own, on our context."""

import asyncio
import sys

import wiretight as ssl


async def fetch(host, port, ca_file=None):
    """Print the answer of the server."""
    context = ssl.create_default_context(cafile=ca_file)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    while data := await reader.read(65536):
        sys.stdout.buffer.write(data)
    writer.close()
    await writer.wait_closed()


asyncio.run(fetch(*sys.argv[1:]))
