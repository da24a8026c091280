"""Latency: the 99th percentile of an echo of 64 bytes from an event loop that has a CPU-bound thread beside it.

Each time that the event loop's thread gives up the GIL, the other one takes it, and may keep it for the interpreter's
switch interval (5 ms). One such wait is inherent: the loop's own, for events. The client is a process of its own that
waits a little between messages, so that each one meets the other thread at work. Nothing is pinned.
"""

from __future__ import annotations

import os
import signal
import ssl
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import loops
from endpoints import NAME, client_context, listener, server_context, tcp_to
from measure.async_echo import Echo

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from rows import Row

UNIT = "ms, p99"
SIZE = 64
WARM_UP = 20
PAUSE = 0.001


def sample(row: Row, folder: Path, *, echoes: int) -> dict[str, Any]:
    listening = listener()
    child = os.fork()
    if child == 0:
        try:
            loops.run(row, _serve(row, folder, listening))
        finally:
            os._exit(1)
    try:
        times, about = _echoes(folder, listening.getsockname(), WARM_UP + echoes)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    cuts = statistics.quantiles([spent * 1e3 for spent in times[WARM_UP:]], n=100, method="inclusive")
    return {
        "value": cuts[98],
        "parts": {"p50": cuts[49], "p90": cuts[89]},
        **about,
        "openssl": row.tls().OPENSSL_VERSION,
    }


def _burn() -> None:
    number = 0
    while True:
        number = (number + 1) & 0xFFFF


async def _serve(row: Row, folder: Path, listening: socket.socket) -> None:
    server = await loops.create_server(row, Echo, server_context(row.tls(), folder), listening)
    threading.Thread(target=_burn, daemon=True).start()
    await server.serve_forever()


def _echoes(folder: Path, address: tuple[str, int], count: int) -> tuple[list[float], dict[str, Any]]:
    """The client is the standard library's for every row."""
    message, times = os.urandom(SIZE), []
    with client_context(ssl, folder).wrap_socket(tcp_to(address), server_hostname=NAME) as conn:
        for _ in range(count):
            time.sleep(PAUSE)
            times.append(seconds_of_echo(conn, message))
        return times, {"protocol": conn.version(), "cipher": conn.cipher()[0]}


def seconds_of_echo(conn: ssl.SSLSocket, message: bytes) -> float:
    start = time.perf_counter()
    conn.sendall(message)
    answer = conn.recv(len(message))
    spent = time.perf_counter() - start
    if answer != message:
        raise RuntimeError("the answer differs from the question")
    return spent
