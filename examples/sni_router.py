"""A TCP router that decrypts nothing: sni_router.py PORT [NAME[/PROTOCOL]=HOST:PORT ...] [*=HOST:PORT].

It reads a client's ClientHello, chooses the first backend whose server name, and ALPN protocol if there is one, is in
it, and passes on every byte as it is. `*` is any name. It prints its port, and then one line for each connection.
"""

import asyncio
import sys

from wiretight import parse_client_hello

MOST, PATIENCE = 65536, 10  # bytes and seconds that a client has for its ClientHello


def choose(routes, hello):
    """The address of the first route that fits, or None."""
    names, protocols = ("*", (hello.server_name or "").lower()), ("", *hello.alpn_protocols)
    return next((address for name, protocol, address in routes if name in names and protocol in protocols), None)


async def read_hello(reader):
    """The ClientHello, and all that has been read. Raises ValueError if there is none."""
    data = b""
    while (hello := parse_client_hello(data)) is None:
        part = await reader.read(MOST - len(data))
        if not part:
            raise ValueError("the client has ended, or its ClientHello is too long")
        data += part
    return hello, data


async def pass_on(reader, writer):
    """Everything from one end to the other, and then its end."""
    while data := await reader.read(MOST):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def route(routes, reader, writer):
    """One client's connection, to its end."""
    backend = None
    try:
        hello, data = await asyncio.wait_for(read_hello(reader), PATIENCE)
        address = choose(routes, hello)
        # A client chooses these bytes: none of them may end the line, or move a terminal's cursor.
        print(*map(ascii, (hello.server_name, *hello.alpn_protocols)), hello.ja4, "->", address, flush=True)
        if address is not None:
            incoming, backend = await asyncio.open_connection(*address)
            backend.write(data)
            await asyncio.gather(pass_on(reader, backend), pass_on(incoming, writer))
    except (OSError, ValueError, asyncio.TimeoutError) as error:
        print("refused:", error, flush=True)
    finally:
        for end in filter(None, (writer, backend)):
            end.close()


async def main(port, *arguments):
    routes = []
    for argument in arguments:
        (name, _, protocol), address = argument.split("=")[0].partition("/"), argument.split("=")[1]
        routes.append((name.lower(), protocol, address.rsplit(":", 1)))
    server = await asyncio.start_server(lambda *ends: route(routes, *ends), "127.0.0.1", int(port))
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
