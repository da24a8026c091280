"""Ends: CPU microseconds of a full handshake at its client, and at its server, apart; by the chain and the group.

Both ends are of the same module, in one thread, over memory BIOs; the client has verified the chain before. The median
of the handshakes; connections are given back as the next ones come, as in C and in a program that runs for long.
Which group they took, the ServerHello says: not every module does, or can be told which to take.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from endpoints import NAME, allowed_cpus, client_context, facts, pin, server_context

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from rows import Row

UNIT = "CPU µs"
WARM_UP = 5
GROUPS = {0x001D: "X25519", 0x11EC: "X25519MLKEM768"}  # Source: IANA, TLS Supported Groups
KEY_SHARE = 51


class End:
    """An end of a connection, and the CPU µs that it has computed."""

    def __init__(self, tls: ModuleType, context: Any, **role: Any) -> None:
        self.incoming, self.outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        self.wants = tls.SSLWantReadError
        self.done = False
        start = time.thread_time()
        self.conn = context.wrap_bio(self.incoming, self.outgoing, **role)
        self.spent = (time.thread_time() - start) * 1e6

    def step(self) -> bytes:
        """As far as it goes; what it has for its peer."""
        start = time.thread_time()
        try:
            self.conn.do_handshake()
            self.done = True
        except self.wants:
            pass
        self.spent += (time.thread_time() - start) * 1e6
        return self.outgoing.read()


def sample(row: Row, folder: Path, *, chain: str, group: str, handshakes: int) -> dict[str, Any]:
    """The medians of `handshakes` at each end."""
    tls = row.tls()
    contexts = client_context(tls, folder / chain), server_context(tls, folder / chain)
    pin(allowed_cpus()[:1])
    spent = []
    for _ in range(WARM_UP + handshakes):
        client, server = _shaken(tls, *contexts, group)
        spent.append((client.spent, server.spent))
    parts = dict(zip(("client", "server"), map(statistics.median, zip(*spent[WARM_UP:], strict=True)), strict=True))
    about = facts(tls, client.conn)
    about.pop("counters", None)
    return {"value": sum(parts.values()), "parts": parts, **about}


def _shaken(tls: ModuleType, near: Any, far: Any, group: str) -> tuple[End, End]:
    client, server = End(tls, near, server_hostname=NAME), End(tls, far, server_side=True)
    server.incoming.write(client.step())
    flight = server.step()
    if _group_in(flight) != group:
        raise RuntimeError(f"it takes {_group_in(flight)}")
    client.incoming.write(flight)
    while not (client.done and server.done):
        server.incoming.write(client.step())
        client.incoming.write(server.step())
    return client, server


def _group_in(flight: bytes) -> str:
    """That of a ServerHello. Source: RFC 8446, section 4.1.3 and 4.2.8."""
    hello = flight[5:]
    at = 4 + 2 + 32
    at += 1 + hello[at] + 3
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    while at < end:
        kind, length = (int.from_bytes(hello[at + i : at + i + 2], "big") for i in (0, 2))
        at += 4
        if kind == KEY_SHARE:
            number = int.from_bytes(hello[at : at + 2], "big")
            return GROUPS.get(number, f"group {number}")
        at += length
    return "no group"
