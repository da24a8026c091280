"""`wiretight serve` in threads of the test's process: quick to start, and its notes at hand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kit.certificates import ADDRESS, HOST
from tests.kit.sockets import receive_all
from tests.kit.threads import PATIENCE
from wiretight._cli.serve.folderhandler import FolderHandler
from wiretight._cli.serve.handshakes import Handshakes
from wiretight._cli.serve.httpsserver import HTTPSServer
from wiretight._cli.serve.proxy import Proxy, bound
from wiretight._cli.serve.servedfolder import ServedFolder


@dataclass
class Serving:
    """Where it is, and what it has noted."""

    port: int = 0
    notes: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # of a folder: what was asked, and the status

    def connect(self, context: Any, **options: Any) -> Any:
        """A TLS connection to it."""
        plain = socket.create_connection((ADDRESS, self.port), PATIENCE)
        return context.wrap_socket(plain, **{"server_hostname": HOST, **options})

    def ask(self, context: Any, request: bytes, **options: Any) -> bytes:
        """What it says to the request, to the end of the connection."""
        with self.connect(context, **options) as client:
            client.sendall(request)
            return receive_all(client)

    def get(self, context: Any, path: str, **options: Any) -> bytes:
        """The body of a response with status 200."""
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        head, _, body = self.ask(context, request.encode(), **options).partition(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0], head
        return body


@contextlib.contextmanager
def serving_folder(context: Any, folder: Path, timeout: float = PATIENCE, **options: Any) -> Iterator[Serving]:
    """A folder over HTTPS, and the page of a handshake. A request has to arrive within `timeout`."""
    handshakes = Handshakes()
    context.message_callback = handshakes
    serving = Serving()

    class Handler(FolderHandler):
        def setup(self) -> None:
            self.timeout = timeout
            super().setup()

        def log_message(self, format: str, *args: object) -> None:
            serving.requests.append(format % args)

    handler = functools.partial(Handler, served=ServedFolder(str(folder)), handshakes=handshakes)
    with HTTPSServer((ADDRESS, 0), handler, context, serving.notes.append, **options) as server:
        serving.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield serving
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serving_proxy(context: Any, backend: int, **options: Any) -> Iterator[Serving]:
    """A proxy for a server on this port."""
    handshakes = Handshakes()
    context.message_callback = handshakes
    serving = Serving()
    with bound(ADDRESS, 0) as listener:
        serving.port = listener.getsockname()[1]
        proxy = Proxy((ADDRESS, backend), context, handshakes, serving.notes.append, **options)
        loop = asyncio.new_event_loop()
        accepting = loop.create_task(proxy.accept(listener))
        thread = threading.Thread(target=_run, args=(loop, accepting))
        thread.start()
        try:
            yield serving
        finally:
            loop.call_soon_threadsafe(accepting.cancel)
            thread.join(PATIENCE)
            assert not thread.is_alive()


@contextlib.contextmanager
def backend(handler: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server in plain TCP, each connection in a thread; its port. What `handler` raises is its own affair."""
    with socket.create_server((ADDRESS, 0)) as listener:
        threads: list[threading.Thread] = []

        def serve(sock: socket.socket) -> None:
            with sock, contextlib.suppress(OSError):
                handler(sock)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    sock.settimeout(PATIENCE)
                    threads.append(threading.Thread(target=serve, args=(sock,)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join(PATIENCE)


def _run(loop: asyncio.AbstractEventLoop, accepting: asyncio.Task[None]) -> None:
    asyncio.set_event_loop(loop)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(accepting)
        left = asyncio.all_tasks(loop)
        if left:  # their clients have gone
            loop.run_until_complete(asyncio.wait(left, timeout=PATIENCE))
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        loop.close()
