"""Idle: KiB of resident memory per end of a blocking connection that has shaken hands and said one byte each way.

Both ends are in one process; the growth is divided by the number of ends. C is a bare OpenSSL connection, with the
buffers given back (SSL_MODE_RELEASE_BUFFERS), as the standard library has it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from endpoints import NAME, client_context, facts, server_context, tcp_pair
from memory import resident_kib

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from rows import Row

UNIT = "KiB per end"
WARM_UP = 20


def sample(row: Row, folder: Path, *, connections: int) -> dict[str, Any]:
    tls = row.tls()
    client, server = client_context(tls, folder), server_context(tls, folder)
    kept = _open(client, server, WARM_UP)
    before = resident_kib()
    kept += _open(client, server, connections)
    grown = resident_kib() - before
    about = facts(tls, kept[-1])
    about.pop("counters", None)
    return {"value": grown / (2 * connections), "parts": {}, **about}


def _open(client: Any, server: Any, count: int) -> list[Any]:
    pairs = [tcp_pair() for _ in range(count)]
    kept = []
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(_serve, server, [far for _, far in pairs])
        for near, _ in pairs:
            conn = client.wrap_socket(near, server_hostname=NAME)
            conn.recv(1)
            conn.sendall(b"k")
            kept.append(conn)
        return kept + serving.result()


def _serve(server: Any, socks: list[socket.socket]) -> list[Any]:
    kept = []
    for sock in socks:
        conn = server.wrap_socket(sock, server_side=True)
        conn.sendall(b"k")
        conn.recv(1)
        kept.append(conn)
    return kept
