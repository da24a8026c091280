"""Connections, one after the other, for as long as one likes: `scripts/soak --minutes N`. One line of JSON at the end.

Clients in the main thread, with a signal every millisecond, and a server in another; TLS 1.2 and 1.3, half of them
resumed, each with data in both directions that is compared. Nothing may be lost, stay open or grow.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import signal
import ssl as standard
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.kit.certificates import Certificates
from tests.kit.servers import Server, echo_messages, message
from tests.kit.sockets import receive_exactly

SLACK = 1 << 20  # bytes that an allocator may take and keep
PER_CONNECTION = 2048  # bytes of growth: what the cache of sessions keeps of each; without sessions there is none


def memory() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Soak:
    def __init__(self, folder: Path) -> None:
        certificates = Certificates(folder)
        versions = (standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3)
        self.clients = [certificates.client_context(version) for version in versions]
        self.certificates = certificates
        self.sessions: list[Any] = [None, None]
        self.chance = random.Random(1)
        self.data = self.chance.randbytes(1 << 20)
        self.connections = self.resumed = self.bytes = self.signals = 0

    def rang(self, *_: object) -> None:
        self.signals += 1

    def connection(self, server: Server) -> None:
        at = self.chance.randrange(2)
        session = self.sessions[at] if self.chance.random() < 0.5 else None
        with server.connect(self.clients[at], session=session) as sock:
            for _ in range(self.chance.randrange(1, 4)):
                size = int(len(self.data) ** self.chance.random())
                start = self.chance.randrange(len(self.data) - size + 1)
                said = message(self.data[start : start + size])
                sock.sendall(said)
                heard = receive_exactly(sock, len(said))
                assert hashlib.sha256(heard).digest() == hashlib.sha256(said).digest(), "bytes were lost or changed"
                self.bytes += 2 * len(said)
            self.sessions[at] = sock.session
            self.resumed += sock.session_reused
            sock.unwrap()
        self.connections += 1

    def batch(self) -> None:
        """A server and its context for each batch: they keep connections and sessions until it ends."""
        self.sessions = [None, None]
        with Server(self.certificates.server_context(), echo_messages) as server:
            for _ in range(50):
                self.connection(server)

    def run(self, seconds: float) -> dict[str, Any]:
        signal.signal(signal.SIGALRM, self.rang)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        start = time.monotonic()
        while time.monotonic() - start < seconds / 3:  # until allocators have what they keep
            self.batch()
        open_before, memory_before, connections_before = descriptors(), memory(), self.connections
        while time.monotonic() - start < seconds:
            self.batch()
        signal.setitimer(signal.ITIMER_REAL, 0)
        growth, opened = memory() - memory_before, descriptors() - open_before
        assert opened == 0, f"{opened} descriptors stayed open"
        counted = self.connections - connections_before
        assert growth <= SLACK + PER_CONNECTION * counted, f"{growth} bytes more after {counted} connections"
        return {
            "target": "soak", "minutes": round((time.monotonic() - start) / 60, 1), "connections": self.connections,
            "resumed": self.resumed, "gigabytes": round(self.bytes / 1e9, 2), "signals": self.signals,
            "lost bytes": 0, "descriptors left open": opened, "growth": growth,
        }  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(Soak(Path(folder)).run(60 * given.minutes)))


if __name__ == "__main__":
    main()
