"""A storm of full handshakes: how many an asyncio server completes, and how long its other connections wait meanwhile.

The load is a number of `openssl s_time -new`, each of which connects, shakes hands and closes, again and again, without
verifying. The server's key is RSA 4096, so that a handshake costs the server far more than the load, which needs a CPU
of its own otherwise. Nothing is pinned: what a server does with a second CPU is the question. A client of its own
sends 64 bytes on an open connection every few milliseconds, and measures how long their echo takes.
"""

from __future__ import annotations

import os
import re
import signal
import ssl
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loops
from endpoints import NAME, listener, tcp_to
from measure.async_echo import Echo
from measure.latency import seconds_of_echo

if TYPE_CHECKING:
    import socket

    from rows import Row

UNIT = "handshakes/s"
ECHO_UNIT = "ms, p99"
ECHO = "echo p99, ms"
CLIENTS = 16
SIZE = 64
PAUSE = 0.003
START = 0.3  # seconds until all clients have begun


def sample(row: Row, folder: Path, *, seconds: int) -> dict[str, Any]:
    certificate, key = _large_key(folder)
    listening = listener(backlog=4 * CLIENTS)
    address = listening.getsockname()
    child = os.fork()
    if child == 0:
        try:
            loops.run(row, _serve(row, certificate, key, listening))
        finally:
            os._exit(1)
    try:
        listening.close()
        with _client(certificate).wrap_socket(tcp_to(address), server_hostname=NAME) as conn:
            time.sleep(1 - time.time() % 1)  # s_time ends with a second of the clock
            start, before = time.monotonic(), _cpu_seconds(child)
            command = ["openssl", "s_time", "-new", "-connect", f"{address[0]}:{address[1]}", "-time", str(seconds)]
            load = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(CLIENTS)]
            time.sleep(START)
            times = _echoes(conn, start + seconds - START)
            done = sum(_connections(process.communicate()[0]) for process in load)
            rate = done / (time.monotonic() - start)
            spent = (_cpu_seconds(child) - before) / done * 1e6
            about = {"protocol": conn.version(), "cipher": conn.cipher()[0]}
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    waits = statistics.quantiles([spent * 1e3 for spent in times], n=100, method="inclusive")
    parts = {"server CPU µs/handshake": spent, "echo p50, ms": waits[49], ECHO: waits[98]}
    return {"value": rate, "parts": parts, **about, "openssl": row.tls().OPENSSL_VERSION}


def _large_key(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of an RSA key of 4096 bits, and the key; made by the first sample."""
    certificate, key = folder / "rsa4096.pem", folder / "rsa4096.key"
    if not certificate.exists():
        command = ["openssl", "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-subj", f"/CN={NAME}", "-days", "2"]
        extension = ["-addext", f"subjectAltName=DNS:{NAME}", "-keyout", str(key), "-out", f"{certificate}.new"]
        # OPENSSL_CONF, which has no section for this program, stays out of it.
        environment = {name: value for name, value in os.environ.items() if name != "OPENSSL_CONF"}
        subprocess.run([*command, *extension], env=environment, capture_output=True, check=True)
        Path(f"{certificate}.new").rename(certificate)
    return certificate, key


async def _serve(row: Row, certificate: Path, key: Path, listening: socket.socket) -> None:
    context = row.tls().SSLContext(row.tls().PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificate), str(key))
    if row.executor:
        context.handshake_executor = ThreadPoolExecutor(row.executor)
    server = await loops.create_server(row, Echo, context, listening)
    await server.serve_forever()


def _client(certificate: Path) -> ssl.SSLContext:
    """The client is the standard library's for every row."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(str(certificate))
    return context


def _echoes(conn: ssl.SSLSocket, end: float) -> list[float]:
    message, times = os.urandom(SIZE), []
    while time.monotonic() < end:
        times.append(seconds_of_echo(conn, message))
        time.sleep(PAUSE)
    return times


def _connections(output: str) -> int:
    found = re.search(r"^(\d+) connections in \d+ real seconds", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"openssl s_time made no connection: {' '.join(output.split())}")
    return int(found[1])


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
