"""Connections, one after the other, for as long as one likes: `scripts/soak --minutes N`. One line of JSON at the end.

`--kind connections`, which is also what it does without: clients in the main thread, with a signal every millisecond,
and a server with a thread for each connection; TLS 1.2 and 1.3, half of them resumed, each with data in both
directions that is compared. Nothing may be lost, stay open or grow.

Growth is counted in bytes that are allocated and not freed, Python's objects included (`scripts/soak` has malloc() give
them out), when no connection is open: the slope over all connections after the first quarter of the time, in which
caches fill up. What the process has resident is reported beside it. It says something only because `scripts/soak` has
malloc() keep one arena: with one for each thread it grows for as long as threads meet in new combinations.

`--kind pairs`: connections on each of which eight threads make two calls at once, every pair of calls on every kind of
connection (pairs.py), in an order of chance. When a round fails, or nothing moves for a minute, the stacks of all
threads are printed and the process ends.

`--kind service`: eight threads use and change one server context with all that it can have for sessions, and with all
that watches it (service.py), and what its metrics count is compared with what was done.

`--lock-checks`: on a core that aborts where a thread breaks the rule of the locks.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import itertools
import json
import logging
import os
import random
import signal
import ssl as standard
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.incidents.pairs import Contexts, every_round
from tests.incidents.service import Service
from tests.kit.certificates import Certificates
from tests.kit.memory import Samples, allocated, resident
from tests.kit.servers import Server, echo_messages, message
from tests.kit.sockets import receive_exactly
from tests.kit.subject import tls

PER_CONNECTION = 16  # bytes of growth
SAMPLES = 200  # of memory

TIMES = 20  # that a thread makes its call in a round of pairs
STANDSTILL = 60  # seconds


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Soak:
    def __init__(self, folder: Path, seed: int) -> None:
        certificates = Certificates(folder)
        versions = (standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3)
        self.clients = [certificates.client_context(version) for version in versions]
        self.server = certificates.server_context()
        self.sessions: list[Any] = [None, None]
        self.chance = random.Random(seed)
        self.data = self.chance.randbytes(1 << 20)
        self.connections = self.resumed = self.bytes = self.signals = 0
        self.allocated, self.resident = Samples(SAMPLES), Samples(SAMPLES)

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
        """At its end no connection and no thread is left: a server of the kit keeps both until then."""
        with Server(self.server, echo_messages) as server:
            for _ in range(50):
                self.connection(server)

    def run(self, seconds: float) -> dict[str, Any]:
        signal.signal(signal.SIGALRM, self.rang)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        start = time.monotonic()
        settled = seconds / 4
        open_before = -1
        while (passed := time.monotonic() - start) < seconds:
            self.batch()
            if passed >= settled + self.allocated.taken * (seconds - settled) / SAMPLES:
                self.allocated.take(self.connections, allocated())
                self.resident.take(self.connections, resident())
                open_before = open_before if open_before >= 0 else descriptors()
        signal.setitimer(signal.ITIMER_REAL, 0)
        opened = descriptors() - open_before
        growth = self.allocated.slope()
        assert opened == 0, f"{opened} descriptors stayed open"
        assert growth <= PER_CONNECTION, f"{growth:.1f} bytes more after each of {self.connections} connections"
        return {
            "target": "soak", "openssl": tls.OPENSSL_VERSION, "minutes": round((time.monotonic() - start) / 60, 1),
            "connections": self.connections, "resumed": self.resumed, "gigabytes": round(self.bytes / 1e9, 2),
            "signals": self.signals, "lost bytes": 0, "descriptors left open": opened,
            "growth of a connection (bytes)": round(growth, 2) + 0.0,  # no -0.0
            "growth of what is resident (bytes)": round(self.resident.slope(), 2),
        }  # fmt: skip


class Pairs:
    """Round after round, each pair of calls on each kind of connection as often as any other."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.contexts = Contexts(Certificates(folder))
        self.chance = random.Random(seed)
        self.said: Counter[str] = Counter()
        self.done = 0

    def run(self, seconds: float) -> dict[str, Any]:
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of what is written to a closed transport
        start = time.monotonic()
        reported = passed = 0.0
        open_before = -1
        while passed < seconds:
            for one in every_round(self.chance):
                faulthandler.dump_traceback_later(STANDSTILL, exit=True)
                try:
                    self.said += one.run(self.contexts, TIMES, at_server=self.chance.random() < 0.5)
                except BaseException:
                    print(f"round {self.done + 1}: {one}", file=sys.stderr)
                    faulthandler.dump_traceback()
                    raise
                self.done += 1
                passed = time.monotonic() - start
                if passed - reported > 60:
                    reported = passed
                    print(
                        f"{passed / 60:.0f} minutes: {self.done} rounds, {sum(self.said.values())} calls",
                        file=sys.stderr,
                    )
                if passed >= seconds:
                    break
            open_before = open_before if open_before >= 0 else descriptors()
        faulthandler.cancel_dump_traceback_later()
        opened = descriptors() - open_before
        assert opened == 0, f"{opened} descriptors stayed open"
        return {
            "target": "soak: pairs", "openssl": tls.OPENSSL_VERSION, "python": sys.version.split()[0],
            "lock checks": "WIRETIGHT_LOCK_CHECKS" in os.environ, "minutes": round(passed / 60, 1), "rounds": self.done,
            "calls": sum(self.said.values()), "said": dict(sorted(self.said.items())),
            "descriptors left open": opened,
        }  # fmt: skip


class Crowd:
    """Batch after batch of a Service."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.service = Service(folder)
        self.seeds = itertools.count(seed)

    def run(self, seconds: float) -> dict[str, Any]:
        start = time.monotonic()
        open_before = -1
        while time.monotonic() - start < seconds:
            faulthandler.dump_traceback_later(5 * STANDSTILL, exit=True)
            self.service.batch(self.seeds)
            open_before = open_before if open_before >= 0 else descriptors()
        faulthandler.cancel_dump_traceback_later()
        opened = descriptors() - open_before
        assert opened == 0, f"{opened} descriptors stayed open"
        return {
            "target": "soak: service", "openssl": tls.OPENSSL_VERSION, "python": sys.version.split()[0],
            "lock checks": "WIRETIGHT_LOCK_CHECKS" in os.environ,
            "minutes": round((time.monotonic() - start) / 60, 1), **dict(sorted(self.service.done.items())),
            "descriptors left open": opened,
        }  # fmt: skip


KINDS = {"connections": Soak, "pairs": Pairs, "service": Crowd}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=1)
    options.add_argument("--kind", choices=KINDS, default="connections")
    options.add_argument("--seed", type=int, default=1, help="of chance: another one is another order")
    given = options.parse_args()
    counted = os.environ.get("PYTHONMALLOC") == "malloc"
    assert counted or given.kind != "connections", "run me by scripts/soak: what Python allocates is not counted"
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(KINDS[given.kind](Path(folder), given.seed).run(60 * given.minutes)))


if __name__ == "__main__":
    main()
