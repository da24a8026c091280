"""Fetch a page under asyncio with the native transport: asyncio_native.py HOST PORT [CA_FILE]."""

import asyncio
import sys

import wiretight
from wiretight import asyncio as tls


async def fetch(host, port, ca_file=None):
    """Print the answer of the server; one that was cut short raises SSLEOFError."""
    context = wiretight.create_default_context(cafile=ca_file)
    reader, writer = await tls.open_connection(host, int(port), ssl=context)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    while data := await reader.read(65536):
        sys.stdout.buffer.write(data)
    writer.close()
    await writer.wait_closed()


asyncio.run(fetch(*sys.argv[1:]))
