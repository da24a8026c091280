"""How much memory this process uses after a full garbage collection."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import sys
import sysconfig
from array import array
from pathlib import Path


class Mallinfo2(ctypes.Structure):
    """struct mallinfo2 of glibc 2.33 and newer: mallinfo2(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks"),
            "keepcost",
        )
    ]


LIBRARY = ctypes.CDLL(None)
# Whether allocated() can tell. An interpreter without a GIL has an allocator of its own, and no other.
COUNTED = hasattr(LIBRARY, "mallinfo2") and not sysconfig.get_config_var("Py_GIL_DISABLED")
# The environment in which Python's objects are counted, too, and in which malloc() has no caches per thread: what they
# keep for the next caller counts as given out, and they grow until they have met every size.
COUNTING = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"} if COUNTED else {}
# The interpreter remembers attributes by name, and the names: 4,096 of them, which takes a thousand rounds of an event
# loop to settle.
forget_attributes = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache


def allocated() -> int:
    """Bytes allocated by malloc() and not freed, in all of its arenas: they include every leak.

    Python's own objects are among them only in an environment with COUNTING.
    """
    forget_attributes()
    gc.collect()
    LIBRARY.mallinfo2.restype = Mallinfo2
    info = LIBRARY.mallinfo2()
    return int(info.uordblks + info.hblkhd)


def resident() -> int:
    """Bytes in memory: those in use, and those that allocators keep for later or cannot return."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Samples:
    """Memory, sampled at some counts of iterations, into preallocated space, so that it does not count itself."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._counts = array("q", bytes(8 * size))
        self._bytes = array("q", bytes(8 * size))

    def take(self, count: int, memory: int) -> None:
        self._counts[self.taken] = count
        self._bytes[self.taken] = memory
        self.taken += 1

    def slope(self) -> float:
        """Bytes for each that was done: of the line through all samples."""
        return statistics.linear_regression(self._counts[: self.taken], self._bytes[: self.taken]).slope
