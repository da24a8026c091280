"""Handshake: CPU microseconds per handshake (P-256 certificate, X25519), full or resumed, both ends added.

The server sends one byte after it, so that the client reads the session tickets too, which TLS 1.3 sends late. Both
ends are threads of one process on one CPU; the TCP connections exist before the clock starts. A resumed handshake takes
the session of the connection before it, as a client does that uses each ticket once.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from endpoints import NAME, allowed_cpus, client_context, facts, pin, server_context, tcp_pair

if TYPE_CHECKING:
    import socket
    from pathlib import Path
    from types import ModuleType

    from rows import Row

UNIT = "CPU µs"
WARM_UP = 5


def sample(row: Row, folder: Path, *, handshakes: int, resumed: bool) -> dict[str, Any]:
    """One measurement of `handshakes`, one after the other."""
    tls = row.tls()
    client, server = client_context(tls, folder), server_context(tls, folder)
    pin(allowed_cpus()[:1])
    _, session = _shake_hands(tls, client, server, WARM_UP, resumed, None)
    return _shake_hands(tls, client, server, handshakes, resumed, session)[0]


def _shake_hands(
    tls: ModuleType, client: Any, server: Any, count: int, resumed: bool, session: Any
) -> tuple[dict[str, Any], Any]:
    pairs = [tcp_pair() for _ in range(count)]
    with ThreadPoolExecutor(1) as pool:
        start = time.process_time()
        serving = pool.submit(_serve, server, [far for _, far in pairs])
        for near, _ in pairs:
            offer = {"session": session} if session is not None else {}
            with client.wrap_socket(near, server_hostname=NAME, **offer) as conn:
                if conn.recv(1) != b"k":
                    raise RuntimeError("the server's byte did not arrive")
                if offer and not conn.session_reused:
                    raise RuntimeError("the session was not resumed")
                if resumed:
                    session = conn.session
                if near is pairs[-1][0]:
                    about = facts(tls, conn)
        serving.result()
        spent = time.process_time() - start
    about.pop("counters", None)
    return {"value": spent / count * 1e6, "parts": {}, **about}, session


def _serve(server: Any, socks: list[socket.socket]) -> None:
    for sock in socks:
        with server.wrap_socket(sock, server_side=True) as conn:
            conn.sendall(b"k")
