"""A signal that arrives while the main thread is inside a call."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from tests.kit.threads import Task


def in_wiretight(frame: FrameType) -> bool:
    """Before the call and after it the test itself would be interrupted."""
    name: str = frame.f_globals["__name__"]
    return name.startswith("wiretight")


@contextlib.contextmanager
def ringing(
    handler: Callable[[], object],
    then: Callable[[], object] = lambda: None,
    when: Callable[[FrameType], bool] = in_wiretight,
) -> Iterator[None]:
    """SIGUSR1 comes until one has met the main thread inside wiretight, or `when`: `handler` runs there, once.

    Then `then` runs in another thread.
    """
    rung: list[int] = []
    over = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not rung and frame is not None and when(frame):
            rung.append(number)
            handler()

    def ring() -> None:
        # One that comes just before poll() does not interrupt it: there has to be another.
        while not rung and not over.wait(0.005):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        then()

    before = signal.signal(signal.SIGUSR1, on_signal)
    task = Task(ring)
    try:
        yield
    finally:
        over.set()
        task.result()
        signal.signal(signal.SIGUSR1, before)
