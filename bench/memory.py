"""Resident memory of a process, and what the system still has."""

from __future__ import annotations

import gc
import os
from pathlib import Path


def resident_kib(process: int | str = "self") -> float:
    """Resident memory in KiB; of this process after a garbage collection."""
    if process == "self":
        gc.collect()
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1024


def available_kib() -> float:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("MemAvailable")))
