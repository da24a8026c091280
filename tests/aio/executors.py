"""Executors that keep a handshake's step until the test lets it go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from tests.kit.threads import PATIENCE

# Where a step is while it is held: not begun, so that it can be cancelled; begun, by a thread that has not got to the
# connection; and in the middle of OpenSSL, in a callback.
STAGES = ("queued", "begun", "in a callback")


class Step:
    """One call of submit()."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.future: Future[Any] = Future()
        self.begun = False
        self._function = function

    def begin(self) -> None:
        """From now on it cannot be cancelled."""
        self.begun = self.future.set_running_or_notify_cancel()

    def run(self) -> None:
        """As a thread of an executor does it; nothing if it was cancelled."""
        if not self.begun:
            self.begin()
        if self.begun:
            try:
                result = self._function()
            except BaseException as error:
                self.future.set_exception(error)
            else:
                self.future.set_result(result)


class Steps(Executor):
    """Gives each step to the test."""

    def __init__(self) -> None:
        self._steps: asyncio.Queue[Step] = asyncio.Queue()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        step = Step(partial(function, *args, **kwargs))
        self._steps.put_nowait(step)
        return step.future

    async def next(self) -> Step:
        return await self._steps.get()


class Held(Executor):
    """Holds the first step at a stage, from `reached` until let_go(); the others run at once, in threads."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.reached = asyncio.Event()
        self.first: Step | None = None
        self._let_go = threading.Event()

    def context(self, context: Any) -> Any:
        """`context`, with this executor."""
        context.handshake_executor = self
        if self.stage == "in a callback":
            loop = asyncio.get_running_loop()

            def hold(*_: Any) -> None:
                if threading.current_thread() is not threading.main_thread() and not self._let_go.is_set():
                    loop.call_soon_threadsafe(self.reached.set)
                    assert self._let_go.wait(PATIENCE)

            context.message_callback = hold
        return context

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        step = Step(partial(function, *args, **kwargs))
        if self.first is not None or self.stage == "in a callback":
            threading.Thread(target=step.run, name="step", daemon=True).start()
        elif self.stage == "begun":
            step.begin()
        if self.first is None:
            self.first = step
            if self.stage != "in a callback":
                self.reached.set()
        return step.future

    def let_go(self) -> None:
        """From any thread; returns when the step has ended."""
        self._let_go.set()
        assert self.first is not None
        if self.stage != "in a callback":
            thread = threading.Thread(target=self.first.run, name="step", daemon=True)
            thread.start()
            thread.join(PATIENCE)
        if not self.first.future.cancelled():
            self.first.future.exception(PATIENCE)


class Inline(Executor):
    """Runs what it is given at once, in the thread of the caller."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        step = Step(partial(function, *args, **kwargs))
        step.run()
        return step.future
