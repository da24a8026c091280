"""Memory of a process and of the kernel, what the system still has of it, and of descriptors."""

from __future__ import annotations

import gc
import os
import resource
from contextlib import suppress
from pathlib import Path

PLENTY = 30_000  # descriptors


def resident_kib(process: int | str = "self") -> float:
    """Resident memory in KiB; of this process after a garbage collection."""
    if process == "self":
        gc.collect()
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1024


def available_kib() -> float:
    return _meminfo("MemAvailable")


def kernel_kib() -> float:
    """What the kernel keeps objects in, such as sockets: of the whole machine."""
    return _meminfo("Slab")


def _meminfo(name: str) -> float:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def open_files() -> int:
    """How many descriptors a process may have, after the limit was raised as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((PLENTY, max(hard, PLENTY)), (hard, hard)):
        if soft < limits[0]:
            with suppress(PermissionError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                return limits[0]
    return soft
