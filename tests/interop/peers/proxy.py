"""Programs that stand between TLS and plain TCP: the plain side is ours."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.interop.peers.peer import Peer, Serving, ask, send_back
from tests.interop.peers.terms import Answer, Said, Terms
from tests.kit.certificates import ADDRESS
from tests.kit.programs import Process
from tests.kit.sockets import free_port
from tests.kit.threads import PATIENCE

# What begins the facts that the program is told to write about each connection: words like "alpn=h2".
MARK = "of-a-connection:"


class Backend:
    """A plain TCP server that sends back what came, until its `with` block ends."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="backend")

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.settimeout(PATIENCE)
                send_back(sock, self._terms)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


class Proxy(Peer):
    """As a server it ends TLS in front of a backend of ours, as a client it begins it behind a plain client of ours."""

    def process(self, terms: Terms, role: str, port: int, to: int) -> Process:
        """A program that is ready: it listens on `port` and connects to the port `to`, and has this role in TLS."""
        raise NotImplementedError

    def call(self, terms: Terms, port: int) -> Answer:
        listening = free_port()
        data = b""
        with self.process(terms, "client", listening, port) as process:
            for _ in range(terms.connections):
                with socket.create_connection((ADDRESS, listening), PATIENCE) as plain, contextlib.suppress(OSError):
                    data = ask(plain, terms)
            return Answer(data, spoken(process, terms))

    @contextlib.contextmanager
    def serve(self, terms: Terms) -> Iterator[Serving]:
        listening = free_port()
        with Backend(terms) as backend, self.process(terms, "server", listening, backend.port) as process:
            yield Serving(listening, lambda: spoken(process, terms), ask)


def spoken(process: Process, terms: Terms) -> Said:
    """What such a program writes of its last connection, in the words that Terms would have."""
    _, _, words = process.line_with(MARK, terms.connections).partition(MARK)
    facts = dict(word.split("=", 1) for word in words.split())
    if "resumed" in facts:
        facts["resumed"] = facts["resumed"] in {"r", "1"}
    if facts.get("alpn") == "-":
        facts["alpn"] = ""
    return facts
