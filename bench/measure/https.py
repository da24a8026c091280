"""HTTPS: requests per second of uvicorn with h11 and keep-alive, on one CPU, under `wrk -c 64` on another one.

Among the parts, the server's CPU microseconds per request: on a machine that does other work too, that is the number to
compare. "no TLS" is the same server over plain HTTP: what no TLS at all would reach.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loops
from endpoints import NAME, allowed_cpus, listener, pin, server_context

if TYPE_CHECKING:
    import socket

    from rows import Row

UNIT = "requests/s"
BODY = b"Hello, world!"
CONNECTIONS = 64
PATIENCE = 20


def sample(row: Row, folder: Path, *, seconds: int) -> dict[str, Any]:
    listening = listener(backlog=CONNECTIONS)
    cpus = allowed_cpus()
    child = os.fork()
    if child == 0:
        try:
            pin(cpus[:1])
            _serve(row, folder, listening)
        finally:
            os._exit(1)
    try:
        pin(cpus[-1:])
        port = listening.getsockname()[1]
        listening.close()
        url = f"{'https' if row.module else 'http'}://{NAME}:{port}/"
        _first_answer(port, bool(row.module))
        before = _cpu_seconds(child)
        requests, rate = _load(url, seconds)
        spent = (_cpu_seconds(child) - before) / requests * 1e6
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    about = {"openssl": row.tls().OPENSSL_VERSION} if row.module else {}
    return {"value": rate, "parts": {"server CPU µs/request": spent}, **about}


async def _app(_scope: Any, _receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def _serve(row: Row, folder: Path, listening: socket.socket) -> None:
    if row.transport == "wiretight.asyncio":
        import wiretight

        wiretight.install()
    import uvicorn

    options: dict[str, Any] = {}
    if row.module:
        context = server_context(row.tls(), folder)
        options = {"ssl_certfile": str(folder / "chain.pem"), "ssl_context_factory": lambda *_: context}
    config = uvicorn.Config(_app, http="h11", lifespan="off", log_level="error", access_log=False, **options)

    async def main() -> None:
        if row.transport == "aiofastnet":
            import aiofastnet

            aiofastnet.patch_loop(asyncio.get_running_loop())
        await uvicorn.Server(config).serve(sockets=[listening])

    loops.run(row, main())


def _first_answer(port: int, tls: bool) -> None:
    """Waits until the server has started."""
    if tls:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            NAME, port, timeout=PATIENCE, context=ssl._create_unverified_context()
        )
    else:
        connection = http.client.HTTPConnection(NAME, port, timeout=PATIENCE)
    connection.request("GET", "/")
    if connection.getresponse().read() != BODY:
        raise RuntimeError("the server's answer is wrong")
    connection.close()


def _load(url: str, seconds: int) -> tuple[int, float]:
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    requests = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if requests is None or rate is None or not int(requests[1]) or "Non-2xx" in output:
        raise RuntimeError(f"wrk got no answers: {' '.join(output.split())}")
    return int(requests[1]), float(rate[1])


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
