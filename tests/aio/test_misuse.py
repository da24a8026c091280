"""Misuse of a transport's connection, through its ssl_object: as on the other faces, and the transport goes on."""

from __future__ import annotations

from tests.aio.ends import over_sockets
from tests.kit.misuses import OF_CONNECTIONS, refuses


def test_a_misuse_is_refused_and_moves_nothing(way, ends):
    async def main():
        async with over_sockets(way, ends) as (client, server):
            near, far = (protocol.transport.get_extra_info("ssl_object") for protocol in (client, server))
            before = near.connection_info(), far.connection_info()
            for misuses in OF_CONNECTIONS.values():
                for line in misuses:
                    refuses(line, near)
                    refuses(line, far)
            assert (near.connection_info(), far.connection_info()) == before
            client.transport.write(b"data")
            assert await server.receive(4) == b"data"

    way.run(main)
