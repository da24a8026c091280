"""Event loops, run so that a test fails if its loop reports anything that the test does not expect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.kit.threads import PATIENCE

try:
    import uvloop
except ImportError:
    uvloop = None  # type: ignore[assignment]

NAMES = ("asyncio", "uvloop")


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop() if name == "asyncio" else uvloop.new_event_loop()


class Loops:
    """Runs a test's main() on a loop of one kind; `reports` is what the loop passed to its exception handler."""

    def __init__(self, name: str, patience: float = PATIENCE) -> None:
        self.name = name
        self.patience = patience
        self.reports: list[dict[str, Any]] = []

    def run(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        result = self.run_reporting(main)
        assert not self.reports, self.reports
        return result

    def run_reporting(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """As run(), for a test that checks `reports` itself."""
        loop = new_loop(self.name)
        loop.set_exception_handler(lambda _, report: self.reports.append(report))
        try:
            return loop.run_until_complete(asyncio.wait_for(main(), self.patience))
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            for _ in range(3):
                loop.run_until_complete(asyncio.sleep(0))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
