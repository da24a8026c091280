"""Contexts: CPU milliseconds of create_default_context(), the first of a process or a later one; MiB of a thousand.

Every row trusts the same file of roots (SSL_CERT_FILE): certifi's where it is installed, otherwise the system's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from memory import resident_kib

if TYPE_CHECKING:
    from pathlib import Path

    from rows import Row

UNIT = "CPU ms"
MEMORY_UNIT = "MiB per 1,000"


def sample(row: Row, folder: Path, *, first: bool, memory: bool, count: int) -> dict[str, Any]:
    """`first`: the first context of the process; else `count` later ones: their time, or their `memory`."""
    del folder
    tls = row.tls()
    about = {"parts": {}, "openssl": tls.OPENSSL_VERSION}
    start = time.process_time()
    tls.create_default_context()
    spent = time.process_time() - start
    if first:
        return {"value": spent * 1e3, **about}
    before = resident_kib()
    start = time.process_time()
    kept = [tls.create_default_context() for _ in range(count)]
    spent = (time.process_time() - start) / count
    if memory:
        return {"value": (resident_kib() - before) / 1024 / len(kept) * 1000, **about}
    return {"value": spent * 1e3, **about}
