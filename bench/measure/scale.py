"""Scale: what one asyncio server pays for 20,000 connections, and for a storm of others that come and go meanwhile.

The clients are in nine other processes (crowd.py), on another CPU. All connections shake hands in full and stay. Then
eight processes come, send a message and go, without a pause: with full handshakes, then with resumed ones. The ninth
measures meanwhile how long echoes take on connections that stay. In the end the server closes all of them.

CPU is that of the server's process, for all of a connection: its accept, handshake, message, close_notify and close.
What `metrics()` has counted must be what was done.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from typing import TYPE_CHECKING, Any, ClassVar

import loops
from crowd import Crowd, processes
from endpoints import listener, negotiated, server_context
from measure.async_echo import Echo
from memory import available_kib, kernel_kib, open_files, resident_kib
from progress import tell

if TYPE_CHECKING:
    from pathlib import Path

    from rows import Row

UNIT = "KiB per idle connection"
VISITORS = 8
RESERVED = 64  # descriptors that are not of connections that stay
SHARE = 0.6  # a row that needs more than this part of the memory that is left is left out
TRIED = 100  # how many connections tell how much memory all need
STEP = 1000


class Guest(Echo):
    """An echo that is in `present` while it is there."""

    present: ClassVar[set[Guest]] = set()
    gone: ClassVar[asyncio.Event] = asyncio.Event()  # the last one

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.present.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.present.discard(self)
        if not self.present:
            self.gone.set()


def sample(row: Row, folder: Path, *, chain: str, connections: int, seconds: float) -> dict[str, Any]:
    most, notes = affordable(connections, open_files())
    return {**loops.run(row, _measure(row, folder / chain, most, seconds)), "notes": notes}


def affordable(connections: int, limit: int) -> tuple[int, list[str]]:
    """How many of them a process may have, and what is to be said of that."""
    most = min(connections, limit - RESERVED)
    if most == connections:
        return most, []
    return most, [f"{most:,} connections instead of {connections:,}: the limit of open files is {limit:,}"]


async def _measure(row: Row, folder: Path, most: int, seconds: float) -> dict[str, Any]:
    context = server_context(row.tls(), folder)
    if row.ring:
        context.ticket_keys = row.tls().TicketKeys()
    listening = listener(backlog=1000)
    with processes(listening, 1 + VISITORS) as clients:
        server = await loops.create_server(row, Guest, context, listening)
        parts = await _stay(clients, most)
        about = negotiated(row.tls(), next(iter(Guest.present)).transport)
        tell("echoes, while nobody comes")
        await _rest(clients, seconds / 2, parts)
        visits = []
        for kind in ("full", "resumed"):
            tell(f"{kind} handshakes")
            visits.append(await _storm(clients, seconds, kind, parts))
        agree(context, most, *visits, closed=sum(visits))
        tell("closing")
        await _close(clients, most, parts)
        agree(context, 0, visits[0] + most, visits[1], closed=most + sum(visits))
        server.close()
    return {"value": parts["KiB"], "parts": parts, **about}


async def _stay(clients: Crowd, most: int) -> dict[str, float]:
    """All connections, and what they cost."""
    first = min(TRIED, most // 2)
    await clients.grow(first)
    resident, kernel, spent, size = resident_kib(), kernel_kib(), time.process_time(), first
    while size < most:
        size = min(size + STEP, most)
        await clients.grow(size)
        tell(f"{size:,} of {most:,} connections")
        if (resident_kib() - resident) / (size - first) * most > SHARE * available_kib():
            raise RuntimeError(f"not enough memory for {most:,} connections")
    spent = time.process_time() - spent
    grown = most - first
    return {
        "connections": most,
        "process MiB": resident / 1024,
        "KiB": (resident_kib() - resident) / grown,
        "kernel KiB": (kernel_kib() - kernel) / grown / 2,  # both ends are on this machine
        "arrival µs": spent / grown * 1e6,
    }


async def _rest(clients: Crowd, seconds: float, parts: dict[str, float]) -> None:
    """What messages cost while nobody comes, and how long the loop stands still when Python collects garbage."""
    spent = time.process_time()
    times = await clients.echo(seconds)
    parts["echo µs"] = (time.process_time() - spent) / len(times) * 1e6
    parts["quiet p99, ms"] = _p99(times)
    began = time.process_time()
    gc.collect()
    parts["collection ms"] = (time.process_time() - began) * 1e3


async def _storm(clients: Crowd, seconds: float, kind: str, parts: dict[str, float]) -> int:
    """How many have come."""
    began, spent = time.monotonic(), time.process_time()
    times, visits = await asyncio.gather(clients.echo(seconds), clients.visit(seconds, kind == "resumed"))
    spent, passed = time.process_time() - spent, time.monotonic() - began
    parts[f"{kind} µs"] = spent / visits * 1e6
    parts[f"{kind} p99, ms"] = _p99(times)
    parts[f"{kind}/s"] = visits / passed
    parts[f"{kind} busy"] = spent / passed
    return visits


async def _close(clients: Crowd, most: int, parts: dict[str, float]) -> None:
    began, spent = time.monotonic(), time.process_time()
    leaving = asyncio.ensure_future(clients.leave())
    for guest in list(Guest.present):
        guest.transport.close()
    await leaving
    await Guest.gone.wait()
    parts["close ms"] = (time.monotonic() - began) * 1e3
    parts["close µs"] = (time.process_time() - spent) / most * 1e6


def agree(context: Any, staying: int, full: int, resumed: int, closed: int) -> None:
    """Fails if what the context has counted is not what was done; `ssl` does not count this."""
    if not hasattr(context, "metrics"):
        return
    metrics = context.metrics()
    counted = {
        "handshakes_done": metrics.handshakes_done,
        "handshakes_failed": sum(metrics.handshakes_failed.values()),
        "handshakes_open": metrics.handshakes_open,
        "resumed": metrics.resumptions.get("resumed", 0),
        "not resumed": sum(metrics.resumptions.values()) - metrics.resumptions.get("resumed", 0),
        "connections_open": metrics.connections_open,
        "connections_closed": sum(metrics.connections_closed.values()),
    }
    done = {
        "handshakes_done": staying + full + resumed,
        "handshakes_failed": 0,
        "handshakes_open": 0,
        "resumed": resumed,
        "not resumed": staying + full,
        "connections_open": staying,
        "connections_closed": closed,
    }
    differ = [f"{name} is {counted[name]}, not {done[name]}" for name in done if counted[name] != done[name]]
    if differ:
        raise RuntimeError(f"metrics() has counted something else: {', '.join(differ)}")


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[98] * 1e3
