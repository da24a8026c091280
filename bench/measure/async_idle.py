"""asyncio idle: KiB of resident memory that one more idle TLS connection costs an asyncio server.

Each connection has shaken hands and echoed one message. The clients are in another process (crowd.py). C is a bare
OpenSSL connection (limit/idle.c), half of a pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import loops
from crowd import crowd
from memory import resident_kib

if TYPE_CHECKING:
    from pathlib import Path

    from rows import Row

UNIT = "KiB per end"
WARM_UP = 20


def sample(row: Row, folder: Path, *, connections: int) -> dict[str, Any]:
    return loops.run(row, _measure(row, folder, connections))  # type: ignore[no-any-return]


async def _measure(row: Row, folder: Path, connections: int) -> dict[str, Any]:
    async with crowd(row, folder) as clients:
        await clients.grow(WARM_UP)
        before = resident_kib()
        await clients.grow(WARM_UP + connections)
        grown = resident_kib() - before
    return {"value": grown / connections, "parts": {}, "openssl": row.tls().OPENSSL_VERSION}
