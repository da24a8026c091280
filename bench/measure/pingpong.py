"""Ping-pong: CPU microseconds per round trip of 64 bytes, both ends added, blocking sockets over loopback TCP.

Both ends are threads of one process, pinned to one CPU: across CPUs the wake-ups cost more than TLS does, and vary.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from endpoints import NAME, allowed_cpus, client_context, facts, pin, server_context, tcp_pair

if TYPE_CHECKING:
    import socket
    from pathlib import Path
    from types import ModuleType

    from rows import Row

UNIT = "CPU µs/round trip"
SIZE = 64
WARM_UP = 500


def sample(row: Row, folder: Path, *, round_trips: int, call: str, recv_size: int) -> dict[str, Any]:
    """One measurement of `round_trips`; `call` is "send" or "sendall", the other end's call is recv(recv_size)."""
    tls = row.tls()
    near, far = tcp_pair()
    pin(allowed_cpus()[:1])
    with ThreadPoolExecutor(1) as pool:
        echo = pool.submit(_echo, tls, folder, far, WARM_UP + round_trips, call, recv_size)
        with client_context(tls, folder).wrap_socket(near, server_hostname=NAME) as conn:
            _ping(conn, WARM_UP, call, recv_size)
            start = time.process_time()
            _ping(conn, round_trips, call, recv_size)
            spent = time.process_time() - start
            echo.result()
            return {"value": spent / round_trips * 1e6, "parts": {}, **facts(tls, conn)}


def _ping(conn: Any, round_trips: int, call: str, recv_size: int) -> None:
    message, answer = os.urandom(SIZE), b""
    send, recv = getattr(conn, call), conn.recv
    for _ in range(round_trips):
        send(message)
        answer = recv(recv_size)
    if answer != message:
        raise RuntimeError("the answer differs from the question")


def _echo(tls: ModuleType, folder: Path, sock: socket.socket, round_trips: int, call: str, recv_size: int) -> None:
    # Whatever fails here, the other end hears of it.
    with sock, server_context(tls, folder).wrap_socket(sock, server_side=True) as conn:
        send, recv = getattr(conn, call), conn.recv
        for _ in range(round_trips):
            send(recv(recv_size))
