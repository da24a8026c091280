"""Memory that runs out in what an event loop calls: `python tests/incidents/starved_loops.py WAY FOLDER`.

The connection goes on, or its protocol hears of its end, or the program's own call raises.

A function of uvloop's has all the memory that it wants, or is not called: where libuv gets none in the middle of
add_reader(), it never reports the descriptor, and says nothing, or reads what it has freed.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from preloaded import allocations_made, faults, spared, starved

from tests.incidents.eventloops import UPGRADES, WAYS, Way
from tests.kit.certificates import Certificates
from wiretight._asyncio.layered import LayeredSSLTransport, _Carrier
from wiretight._asyncio.transport import SSLTransport

SIZE = 200_000
# By class, what the loop or the program calls.
CALLS: dict[type, tuple[str, ...]] = {
    SSLTransport: (
        "__init__", "_progress", "_read_ready", "_write_ready", "_read_again", "write", "resume_reading", "close",
        "_call_connection_lost",
    ),
    LayeredSSLTransport: ("__init__", "begin", "write", "_write_if_watched"),
    _Carrier: ("data_received", "eof_received", "pause_writing", "resume_writing", "connection_lost"),
}  # fmt: skip
OF_THE_LOOP = ("add_reader", "add_writer", "call_later", "call_soon", "remove_reader", "remove_writer")
PATIENCE = 5  # seconds for what takes milliseconds


class Asking(asyncio.Protocol):
    """Says so much, pauses once, and hears it again; then it closes."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.heard = 0
        self.is_over = False  # not an Event, whose waiters asyncio forgets where it has no memory to wake them
        self.error: BaseException | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        before, self.heard = self.heard, self.heard + len(data)
        if before < SIZE // 2 <= self.heard:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.resume)
        if self.heard == SIZE:
            self.transport.close()

    def resume(self) -> None:
        try:
            self.transport.resume_reading()
        except MemoryError:  # said to who calls
            self.transport.abort()

    def connection_lost(self, error: BaseException | None) -> None:
        self.error = error
        self.is_over = True


class Answering(Asking):
    def data_received(self, data: bytes) -> None:
        self.heard += len(data)
        self.transport.write(data)


class Starving:
    """Has one allocation fail, in one call of a method of our transports: the `number`-th of a connection."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.allocations: dict[tuple[str, int], int] = {}  # that a call has made, by name and number
        self.armed: tuple[str, int, int] | None = None
        self.is_off = True
        for kind, names in CALLS.items():
            for name in names:
                setattr(kind, name, self.starved(f"{kind.__name__}.{name}", getattr(kind, name)))

    def starved(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if self.is_off:
                return method(*args, **options)
            self.made[name] += 1
            number = self.made[name]
            is_it = self.armed is not None and self.armed[:2] == (name, number)
            self.is_off = True
            whole = functools.partial(method, **options) if options else method
            try:
                return starved(self.armed[2] if is_it else -1, whole, *args)
            finally:
                self.is_off = False
                self.allocations[name, number] = allocations_made()

        return call

    def conversation(self, way: Way, contexts: tuple[Any, Any], armed: tuple[str, int, int] | None) -> bool:
        """Whether the connection did all that it was for."""
        self.armed = armed
        self.made.clear()
        problem = f"nobody hears of the end: method, call and allocation {armed}"

        async def main() -> bool:
            spare_the_loop()
            self.is_off = False
            ends = way.attempted(*contexts, 1, made())
            tasks, waiting = await asyncio.wait(ends, timeout=PATIENCE)
            assert not waiting, problem
            if any(task.exception() is not None for task in tasks):
                for task in tasks:
                    if task.exception() is None:
                        task.result().transport.abort()
                return False
            asking, answering = (end.result() for end in ends)
            try:
                asking.transport.write(bytes(SIZE))
            except MemoryError:  # said to who writes
                asking.transport.abort()
            deadline = time.monotonic() + PATIENCE
            while not (asking.is_over and answering.is_over):
                assert time.monotonic() < deadline, problem
                await asyncio.sleep(0)
            return asking.heard == SIZE and asking.error is answering.error is None

        try:
            return bool(way.run_whatever_is_reported(main))
        finally:
            self.is_off = True


def spare_the_loop() -> None:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        for name in OF_THE_LOOP:
            setattr(loop, name, functools.partial(spared, getattr(loop, name)))


def made() -> Callable[[], Any]:
    kinds = iter((Asking, Answering))
    return lambda: next(kinds)()


def outcomes(way: Way, contexts: tuple[Any, Any]) -> dict[str, int]:
    """How many connections did all that they were for, and how many ended."""
    starving = Starving()
    found = {"whole": 0, "ended": 0}
    with way.in_use():
        for _ in range(2):  # what is kept from the first one is there after that
            starving.allocations.clear()
            assert starving.conversation(way, contexts, None)
        for (name, number), count in tuple(starving.allocations.items()):
            gc.collect()
            for at in range(count):
                is_whole = starving.conversation(way, contexts, (name, number, at))
                found["whole" if is_whole else "ended"] += 1
    return found


if __name__ == "__main__":
    gc.disable()  # a collection that a failed allocation has set off is not the call's
    faults.faults_python()
    certificates = Certificates(Path(sys.argv[2]))
    (chosen,) = (way for way in [*WAYS, *UPGRADES] if str(way) == sys.argv[1])
    print(json.dumps(outcomes(chosen, (certificates.client_context(), certificates.server_context()))))
