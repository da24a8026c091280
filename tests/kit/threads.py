"""A function in a thread, whose result or error comes back to the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

# Seconds after which something that should have happened is given up. Never part of what a test asserts.
PATIENCE = 30.0


class Task:
    """Runs at once; `result()` waits for the end and returns or raises what the function did."""

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._call = (function, args, kwargs)
        self._result: Any = None
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name=getattr(function, "__name__", "task"), daemon=True)
        self.thread.start()

    def _run(self) -> None:
        function, args, kwargs = self._call
        try:
            self._result = function(*args, **kwargs)
        except BaseException as error:
            self._error = error

    @property
    def running(self) -> bool:
        return self.thread.is_alive()

    def result(self, patience: float = PATIENCE) -> Any:
        self.thread.join(patience)
        assert not self.running, f"{self.thread.name} has not ended after {patience:g} s"
        if self._error is not None:
            raise self._error
        return self._result
