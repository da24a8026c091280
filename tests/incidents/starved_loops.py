"""Memory that runs out in what an event loop calls: `python tests/incidents/starved_loops.py WAY FOLDER`.

The connection goes on, or its protocol hears of its end, or the program's own call raises.
"""

from __future__ import annotations

import _testcapi
import asyncio
import collections
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.incidents.eventloops import UPGRADES, WAYS, Way
from tests.kit.certificates import Certificates
from wiretight._asyncio.layered import LayeredSSLTransport
from wiretight._asyncio.transport import SSLTransport

SIZE = 200_000
CALLS = ("_read_ready", "_write_ready", "_read_again", "write", "close", "resume_reading", "_shutdown_timed_out")
MOST = 150  # allocations of one call
QUIET = 10  # allocations in a row that failed without effect: the call makes no more
PATIENCE = 5  # seconds for what takes milliseconds


class Asking(asyncio.Protocol):
    """Says so much, pauses once, and hears it again; then it closes."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.heard = 0
        self.over = asyncio.Event()
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
        self.over.set()


class Answering(Asking):
    def data_received(self, data: bytes) -> None:
        self.heard += len(data)
        self.transport.write(data)


class Starving:
    """Has one allocation fail, in one call of a method of our transports: the `number`-th since the connection is."""

    def __init__(self) -> None:
        self.made: collections.Counter[str] = collections.Counter()
        self.armed: tuple[str, int] | None = None
        self.inside = True
        for kind in (SSLTransport, LayeredSSLTransport):
            for name in CALLS:
                if name in vars(kind) or kind is SSLTransport:
                    setattr(kind, name, self.starved(name, getattr(kind, name)))

    def starved(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(transport: Any, *args: Any) -> Any:
            if self.inside:
                return method(transport, *args)
            self.made[name] += 1
            if self.armed != (name, self.made[name]):
                return method(transport, *args)
            self.inside = True
            _testcapi.set_nomemory(self.at, self.at + 1)
            try:
                return method(transport, *args)
            finally:
                _testcapi.remove_mem_hooks()
                self.inside = False

        return call

    def conversation(self, way: Way, contexts: tuple[Any, Any], name: str, number: int, at: int) -> bool:
        """Whether the connection did all that it was for."""
        self.armed, self.at = (name, number), at
        self.made.clear()

        async def main() -> bool:
            asking, answering = await way.connected(*contexts, 1, made())
            self.inside = False
            try:
                asking.transport.write(bytes(SIZE))
            except MemoryError:  # said to who writes
                asking.transport.abort()
            over = asyncio.gather(asking.over.wait(), answering.over.wait())
            _, waiting = await asyncio.wait([over], timeout=PATIENCE)
            self.inside = True
            assert not waiting, f"nobody hears of allocation {at} of call {number} of {name}()"
            return asking.heard == SIZE and asking.error is answering.error is None

        return bool(way.run_whatever_is_reported(main))


def made() -> Callable[[], Any]:
    kinds = iter((Asking, Answering))
    return lambda: next(kinds)()


def outcomes(way: Way, contexts: tuple[Any, Any]) -> dict[str, int]:
    """How many connections did all that they were for, and how many ended."""
    starving = Starving()
    found = {"whole": 0, "ended": 0}
    with way.in_use():
        assert starving.conversation(way, contexts, "nothing", 1, 0)
        calls = dict(starving.made)
        assert {"_read_ready", "write", "resume_reading", "close"} <= calls.keys(), calls
        for name, times in calls.items():
            for number in sorted({1, 2, 3, 4, times}):
                quiet = 0
                for at in range(MOST):
                    is_whole = starving.conversation(way, contexts, name, number, at)
                    found["whole" if is_whole else "ended"] += 1
                    quiet = quiet + 1 if is_whole else 0
                    if quiet == QUIET:
                        break
    return found


if __name__ == "__main__":
    certificates = Certificates(Path(sys.argv[2]))
    (chosen,) = (way for way in [*WAYS, *UPGRADES] if str(way) == sys.argv[1])
    print(json.dumps(outcomes(chosen, (certificates.client_context(), certificates.server_context()))))
