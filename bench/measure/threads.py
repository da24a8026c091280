"""Threads: how much faster two threads move data over two connections than one thread over one; 2 is the most.

Each thread holds both ends of its connection, so that one thread fills one CPU: it sends 64 KiB and receives them. Wall
time, the one and the two in turn. Where the machine does other work too, the number shows that, and no fault of the
row: "runnable" among the parts does not. It is the time that the two threads ran or were in the run queue (Linux,
/proc/self/task/N/schedstat), so 2 less what they waited for the GIL or for each other's locks.
"""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endpoints import NAME, client_context, facts, server_context, tcp_pair

if TYPE_CHECKING:
    from rows import Row

UNIT = "times one thread"
SIZE = 64 * 1024
TURNS = 5


def sample(row: Row, folder: Path, *, mib: int) -> dict[str, Any]:
    """`TURNS` comparisons of `mib` MiB per thread; their median."""
    tls = row.tls()
    client, server = client_context(tls, folder), server_context(tls, folder)
    with ThreadPoolExecutor(2) as pool:
        pairs = [_pair(client, server, pool) for _ in range(2)]
        for pair in pairs:
            _move(pair, 8)
        speedups, runnables = [], []
        for _ in range(TURNS):
            start = time.perf_counter()
            _move(pairs[0], mib)
            alone = time.perf_counter() - start
            start = time.perf_counter()
            busy = list(pool.map(_move, pairs, [mib, mib]))
            together = time.perf_counter() - start
            speedups.append(2 * alone / together)
            runnables.append(sum(busy) / together)
    about = facts(tls, pairs[0][0])
    about.pop("counters", None)
    return {"value": statistics.median(speedups), "parts": {"runnable": statistics.median(runnables)}, **about}


def _pair(client: Any, server: Any, pool: ThreadPoolExecutor) -> tuple[Any, Any]:
    near, far = tcp_pair()
    accepted = pool.submit(server.wrap_socket, far, server_side=True)
    return client.wrap_socket(near, server_hostname=NAME), accepted.result()


def _move(pair: tuple[Any, Any], mib: int) -> float:
    """Returns the seconds in which this thread ran, or could have run on a free CPU."""
    sender, receiver = pair
    data, room = bytes(SIZE), memoryview(bytearray(SIZE))
    before = _runnable()
    for _ in range(mib * 1024 * 1024 // SIZE):
        sender.sendall(data)
        left = SIZE
        while left:
            left -= receiver.recv_into(room[:left])
    return _runnable() - before


def _runnable() -> float:
    path = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    try:
        ran, queued = path.read_text(encoding="ascii").split()[:2]
    except OSError:
        return 0.0  # not Linux, or hidden
    return (int(ran) + int(queued)) / 1e9
