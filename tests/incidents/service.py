"""One server context with all that it can have for sessions, and with all that watches it, under eight threads.

`scripts/soak --kind service` runs it for as long as one likes.
"""

from __future__ import annotations

import itertools
import queue
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kit.caches import Cache
from tests.kit.certificates import Certificates
from tests.kit.servers import Server, echo_messages, message
from tests.kit.sockets import receive_exactly
from tests.kit.subject import tls
from tests.kit.threads import Task
from wiretight import FileTicketKeyStore, TicketKeys

THREADS = 8
PATIENCE = 300.0
WRAPPING_KEY = bytes(range(32))


class Service:
    """The server, its clients, which read ahead or do not, and what their contexts have counted and told."""

    def __init__(self, folder: Path) -> None:
        certificates = Certificates(folder)
        self.store = FileTicketKeyStore(folder / "ticket keys")
        self.server = certificates.server_context()
        self.server.ticket_keys = self.ring()
        self.server.key_update_after = 50
        self.told = queue.SimpleQueue[bool]()  # whether the handshake failed, of each that the server was told of
        self.server.handshake_callback = lambda _, event: self.told.put(event.failure is not None)
        self.stranger = certificates.client_context(ca_file=certificates.other_ca_file)
        self.clients = []
        for version in (tls.TLSVersion.TLSv1_2, tls.TLSVersion.TLSv1_3):
            for reads_ahead in (False, True):
                client = certificates.client_context(version)
                client.read_ahead, client.session_store = reads_ahead, tls.MemorySessionStore()
                self.clients.append(client)
        self.done: Counter[str] = Counter()

    def ring(self) -> TicketKeys:
        """One of a fleet: whoever makes it, it has the keys of the others."""
        return TicketKeys.shared(self.store, WRAPPING_KEY, refresh=0.5, rotate_every=4, accept_for=60)

    def changes(self) -> list[Callable[[], object]]:
        """What may happen to a server at any time."""
        server = self.server

        def toggled(name: str, value: Any) -> Callable[[], object]:
            return lambda: setattr(server, name, value if getattr(server, name) is None else None)

        return [
            toggled("client_hello_callback", lambda *_: None),
            toggled("alpn_callback", lambda *_: None),
            toggled("keylog_callback", lambda *_: None),
            toggled("message_callback", lambda *_: None),
            toggled("server_session_cache", Cache()),
            lambda: setattr(server, "ticket_keys", self.ring()),
            lambda: server.ticket_keys.rotate(),
            lambda: server.ticket_keys.keys,
            lambda: tls.openmetrics({"service": server}),
            self.look,
        ]

    def look(self) -> None:
        """What is read in the middle is no more than what there is."""
        earlier, now = self.server.metrics(), self.server.metrics()
        for name in ("handshakes_started", "handshakes_done", "tickets_sent", "bytes_in", "bytes_out", "records_in"):
            assert getattr(earlier, name) <= getattr(now, name), name

    def connection(self, server: Server, chance: random.Random) -> Counter[str]:
        if chance.random() < 0.1:
            try:
                server.connect(self.stranger)
            except tls.SSLCertVerificationError:
                assert server.next_error().reason == "TLSV1_ALERT_UNKNOWN_CA"  # type: ignore[attr-defined]
                return Counter(refused=1)
            raise AssertionError("a server was trusted that nobody knows")
        client = chance.choice(self.clients)
        with server.connect(client) as sock:
            for _ in range(chance.randrange(1, 4)):
                said = message(chance.randbytes(int(200_000 ** chance.random())))
                sock.sendall(said)
                if sock.version() == "TLSv1.3" and chance.random() < 0.5:
                    sock.key_update(request_peer=chance.random() < 0.5)
                assert receive_exactly(sock, len(said)) == said, "bytes were lost or changed"
            resumed = sock.session_reused
            sock.unwrap()
        return Counter(accepted=1, resumed=int(resumed))

    def work(self, seed: int, count: int, stop: threading.Event) -> Counter[str]:
        """Connections of one thread, and a change of the server before every other of them."""
        chance = random.Random(seed)
        done: Counter[str] = Counter()
        with Server(self.server, echo_messages) as server:
            for number in range(count):
                if stop.is_set():
                    break
                if number % 2:
                    chance.choice(self.changes())()
                done += self.connection(server, chance)
        return done

    def batch(self, seeds: itertools.count[int], count: int = 40) -> None:
        """At its end nothing is open; that no number is lost is then to be seen."""
        stop = threading.Event()
        tasks = [Task(self.work, next(seeds), count, stop) for _ in range(THREADS)]
        try:
            for task in tasks:
                self.done += task.result(PATIENCE)
        finally:
            stop.set()
        self.check()

    def check(self) -> None:
        served = self.server.metrics()
        asked = [client.metrics() for client in self.clients]
        told = [self.told.get_nowait() for _ in range(self.told.qsize())]
        self.done["told"] += len(told)
        self.done["told of failures"] += sum(told)
        accepted, refused = self.done["accepted"], self.done["refused"]
        assert served.handshakes_started == accepted + refused == self.done["told"]
        assert served.handshakes_done == accepted == sum(each.handshakes_done for each in asked)
        assert sum(served.handshakes_failed.values()) == refused == self.done["told of failures"]
        assert served.resumptions["resumed"] == self.done["resumed"]
        assert sum(each.resumptions["resumed"] for each in asked) == self.done["resumed"]
        for metrics in (served, *asked):
            assert metrics.handshakes_open == metrics.connections_open == 0
            assert sum(metrics.connections_closed.values()) == metrics.handshakes_done
            for kinds in (metrics.versions, metrics.ciphers, metrics.groups, metrics.resumptions):
                assert sum(kinds.values()) == metrics.handshakes_done
            assert metrics.handshake_buckets[-1][1] == metrics.handshakes_done
        ends = [*asked, self.stranger.metrics()]
        assert served.bytes_in <= sum(each.bytes_out for each in ends)
        assert served.bytes_out >= sum(each.bytes_in for each in asked)
