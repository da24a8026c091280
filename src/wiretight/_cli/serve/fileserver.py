"""FileServer: the demo's HTTPS server, in a process of its own, so that it shares no interpreter with the clients."""

import contextlib
import http.server
import mmap
import multiprocessing
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import wiretight as ssl
from wiretight._cli.demo.download import PATH
from wiretight._cli.errors import CommandError
from wiretight._cli.serve.httpsserver import HTTPSServer

HOST = "127.0.0.1"
START_SECONDS = 60.0

_CHUNK = 256 * 1024
_CONNECTIONS = 1000  # the most that the demo makes at once


@dataclass(frozen=True)
class Fault:
    """Damage that the server does to the file, for tests that the demo detects it."""

    flip: int | None = None  # the offset of a byte sent with all its bits inverted
    stop: int | None = None  # the offset at which the server closes the connection


@contextlib.contextmanager
def file_server(file: Path, certificate: Path, tls: str | None, fault: Fault) -> Iterator[int]:
    """Serve `file` at https://127.0.0.1:PORT/file for the duration of a `with` block; yields the port.

    `certificate` is a PEM file with the key and the chain. Raises `CommandError` if the server does not start.
    """
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_serve, args=(theirs, file, certificate, tls, fault), daemon=True)
    with _interrupts_blocked():
        process.start()
    theirs.close()
    try:
        if not ours.poll(START_SECONDS):
            raise CommandError(f"the demo's server did not start within {START_SECONDS:g} s")
        try:
            port: int = ours.recv()
        except EOFError:
            raise CommandError("the demo's server ended before it was ready") from None
        yield port
    finally:
        ours.close()
        process.join(5)
        if process.is_alive():
            process.kill()


def server_context(certificate: Path, key: Path | None = None, tls: str | None = None) -> ssl.SSLContext:
    """A server's context; `tls` ("1.2" or "1.3") allows only that version."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    limit_version(context, tls)
    context.load_cert_chain(certificate, key)
    return context


def limit_version(context: ssl.SSLContext, tls: str | None) -> None:
    """Limit `context` to the version `tls` ("1.2" or "1.3"), if given."""
    if tls is not None:
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
        context.minimum_version = context.maximum_version = version


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    # Inherited by the process: Ctrl-C reaches the whole group, but only we may end the server. One that comes meanwhile
    # reaches us after it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, file: Path, certificate: Path, tls: str | None, fault: Fault) -> None:
    """The process: serves until the other end of `pipe` is closed, maybe because its owner died."""
    with file.open("rb") as opened:
        content = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    _Handler.content, _Handler.fault = memoryview(content), fault
    server = HTTPSServer((HOST, 0), _Handler, server_context(certificate, tls=tls), connections=_CONNECTIONS)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        pipe.send(server.server_port)
        pipe.recv()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds to wait for a request, and for the client to read the response
    content: memoryview
    fault: Fault

    def do_GET(self) -> None:
        """The file, or the requested range of it (RFC 9110 section 14)."""
        if self.path != PATH:
            self.send_error(404)
            return
        size = len(self.content)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, stop = (int(asked[1]), int(asked[2]) + 1) if asked else (0, size)
        if not start < stop <= size:
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(stop - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Connection", "close")
        self.end_headers()
        for at in range(start, stop, _CHUNK):
            if not self._send(at, min(at + _CHUNK, stop)):
                break
        self.close_connection = True

    def _send(self, start: int, stop: int) -> bool:
        """Send these bytes of the file; False if the fault ends the connection there."""
        chunk = self.content[start:stop]
        if self.fault.flip is not None and start <= self.fault.flip < stop:
            damaged = bytearray(chunk)
            damaged[self.fault.flip - start] ^= 0xFF
            chunk = memoryview(damaged)
        if self.fault.stop is not None and start <= self.fault.stop < stop:
            self.connection.sendall(chunk[: self.fault.stop - start])
            return False
        self.connection.sendall(chunk)
        return True

    def log_message(self, format: str, *args: object) -> None:  # the base class's name
        """Nothing: the demo reports for both ends."""
