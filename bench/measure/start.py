"""Start: CPU milliseconds of a whole process that imports the module, makes a default context and fetches one page.

The interpreter's own start is in it, and so is what a module puts off until it is needed. The page comes from loopback;
the server is not counted. What `create_default_context()` trusts is a usual file of roots, with the server's CA in it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endpoints import listener, server_context

if TYPE_CHECKING:
    import socket

    from rows import Row

UNIT = "CPU ms"
BENCH = Path(__file__).parents[1]
PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"x" * 20_000
PROGRAM = f"""\
import socket
import sys
sys.path.append(sys.argv[2])
module = __import__(sys.argv[1], fromlist=["x"])
context = module.create_default_context()
sock = socket.create_connection(("localhost", int(sys.argv[3])))
with context.wrap_socket(sock, server_hostname="localhost") as conn:
    conn.sendall(b"GET / HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n")
    missing = {len(PAGE)}
    while missing:
        missing -= len(conn.recv(65536))
    print(module.OPENSSL_VERSION, conn.version(), conn.cipher()[0], sep="|")
"""


def sample(row: Row, folder: Path, *, starts: int) -> dict[str, Any]:
    """The median of `starts` processes, one after the other."""
    import ssl

    roots = folder / f"trusted-{os.getpid()}.pem"
    roots.write_bytes((folder / "roots.pem").read_bytes() + (folder / "ca.pem").read_bytes())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["SSL_CERT_FILE"] = str(roots)
    with listener() as listening:
        serving = threading.Thread(target=_serve, args=(listening, server_context(ssl, folder), 1 + starts))
        serving.start()
        command = [sys.executable, "-c", PROGRAM, row.module, str(BENCH), str(listening.getsockname()[1])]
        # The first one may have to compile and to read from the disk; it is not counted.
        spent, told = zip(*(_started(command, environment) for _ in range(1 + starts)), strict=True)
        serving.join()
    openssl, protocol, cipher = told[0].strip().split("|")
    value = statistics.median(spent[1:]) * 1e3
    return {"value": value, "parts": {}, "openssl": openssl, "protocol": protocol, "cipher": cipher}


def _started(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """CPU seconds of the process, user and system, and what it prints."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the program that fetches a page ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, told


def _serve(listening: socket.socket, context: Any, count: int) -> None:
    for _ in range(count):
        sock, _ = listening.accept()
        with context.wrap_socket(sock, server_side=True) as conn:
            conn.recv(65536)
            conn.sendall(PAGE)
