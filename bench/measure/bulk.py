"""Bulk: CPU seconds per GiB, both ends added, blocking sockets over loopback TCP.

The server sends with sendall(1 MiB), the client receives. Each end is a process of its own on a CPU of its own, as in
life: no end waits for the other's GIL. An end counts its CPU time from the moment when a warm-up of 4 MiB has arrived
whole and unchanged (the client answers it with one byte).
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from endpoints import NAME, allowed_cpus, client_context, facts, pin, server_context, tcp_pair

if TYPE_CHECKING:
    import socket
    from pathlib import Path
    from types import ModuleType

    from rows import Row

UNIT = "CPU s/GiB"
CHUNK = 1 << 20
WARM_UP = 4


def sample(row: Row, folder: Path, *, mib: int, call: str, recv_size: int) -> dict[str, Any]:
    """One measurement of `mib` MiB; `call` is "recv_into" (one buffer of `recv_size`) or "recv"."""
    tls = row.tls()
    near, far = tcp_pair()
    chunk = os.urandom(CHUNK)
    cpus = allowed_cpus()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            far.close()
            pin(cpus[-1:])
            report = _receive(tls, folder, near, chunk, mib, call, recv_size)
            os.write(write_end, json.dumps(report).encode())
            status = 0
        finally:
            os._exit(status)
    near.close()
    os.close(write_end)
    pin(cpus[:1])
    sender, about = _send(tls, folder, far, chunk, mib)
    with os.fdopen(read_end, "rb") as pipe:
        received = json.loads(pipe.read() or "null")
    os.waitpid(child, 0)
    if received is None:
        raise RuntimeError("the receiving end failed")
    gib = mib / 1024
    parts = {"sender": sender / gib, "receiver": received["cpu"] / gib}
    counters = {"sender": about.pop("counters", None), "receiver": received["counters"]}
    return {"value": sum(parts.values()), "parts": parts, **about, "counters": counters}


def _send(tls: ModuleType, folder: Path, sock: socket.socket, chunk: bytes, mib: int) -> tuple[float, dict[str, Any]]:
    with server_context(tls, folder).wrap_socket(sock, server_side=True) as conn:
        conn.sendall(chunk * WARM_UP)
        if conn.recv(1) != b"k":
            raise RuntimeError("the warm-up was not answered")
        start = time.process_time()
        for _ in range(mib):
            conn.sendall(chunk)
        return time.process_time() - start, facts(tls, conn)


def _receive(
    tls: ModuleType, folder: Path, sock: socket.socket, chunk: bytes, mib: int, call: str, recv_size: int
) -> dict[str, Any]:
    with client_context(tls, folder).wrap_socket(sock, server_hostname=NAME) as conn:
        warm_up = bytearray()
        while len(warm_up) < WARM_UP * CHUNK:
            warm_up += conn.recv(min(recv_size, WARM_UP * CHUNK - len(warm_up)))
        if warm_up != chunk * WARM_UP:
            raise RuntimeError("the warm-up arrived changed")
        drain = _drain_into if call == "recv_into" else _drain
        conn.sendall(b"k")
        start = time.process_time()
        drain(conn, mib * CHUNK, recv_size)
        return {"cpu": time.process_time() - start, "counters": facts(tls, conn).get("counters")}


def _drain_into(conn: Any, left: int, recv_size: int) -> None:
    buffer = bytearray(recv_size)
    while left:
        got = conn.recv_into(buffer)
        if not got:
            raise RuntimeError(f"the connection ended {left} bytes early")
        left -= got


def _drain(conn: Any, left: int, recv_size: int) -> None:
    while left:
        got = len(conn.recv(recv_size))
        if not got:
            raise RuntimeError(f"the connection ended {left} bytes early")
        left -= got
