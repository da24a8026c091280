"""Growth: what a connection costs one asyncio server that has 10, 1,000 or 20,000 of them.

One server, growing; the clients are in another process (crowd.py). At each size: KiB of resident memory per connection,
CPU microseconds per connection that has arrived since the size before, and CPU microseconds per echo of one message on
each of up to 1,000 connections in turn. All of the server's process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import loops
from crowd import crowd
from memory import available_kib, open_files, resident_kib

if TYPE_CHECKING:
    from pathlib import Path

    from rows import Row

UNIT = "KiB per connection, at the most"
SPOKEN = 1000
# Descriptors that are not connections.
RESERVED = 64
# A row that needs more than this part of the memory that is left is not taken further.
SHARE = 0.6


def sample(row: Row, folder: Path, *, connections: int) -> dict[str, Any]:
    """Up to `connections`, or as many as the limit of open files allows."""
    return loops.run(row, _measure(row, folder, min(connections, open_files() - RESERVED)))  # type: ignore[no-any-return]


async def _measure(row: Row, folder: Path, most: int) -> dict[str, Any]:
    curve: list[dict[str, float]] = []
    async with crowd(row, folder) as clients:
        await clients.grow(1)
        start, room, size = resident_kib(), available_kib() * SHARE, 1
        for to in [size for size in (10, 100, 1000, 5000) if size < most] + [most]:
            before = time.process_time()
            await clients.grow(to)
            arrival = (time.process_time() - before) / (to - size)
            size = to
            spoken = min(size, SPOKEN)
            before = time.process_time()
            await clients.speak(spoken)
            echo = (time.process_time() - before) / spoken
            each = (resident_kib() - start) / (size - 1)
            curve.append({"connections": size, "KiB": each, "arrival µs": arrival * 1e6, "echo µs": echo * 1e6})
            if each * most > room:
                break
    about = {"openssl": row.tls().OPENSSL_VERSION}
    return {"value": curve[-1]["KiB"], "parts": {}, "curve": curve, **about}
