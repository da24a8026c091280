"""Calls that end by their deadline."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import pytest

from tests.kit.threads import PATIENCE

# A full run of tests/incidents has the machine for itself.
FULL = os.environ.get("WIRETIGHT_INCIDENTS") == "full"
TIMEOUT = 0.3
OVERSHOOT = 0.2  # how late a deadline may be on a machine that has nothing else to do


class Deadline:
    """`with deadline():` around a call that ends by TimeoutError, and must end before its peer gives up.

    By how much it was late is recorded. Only a full run fails for it.
    """

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self.record = record

    @contextlib.contextmanager
    def __call__(self, timeout: float = TIMEOUT) -> Iterator[None]:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            yield
        overshoot = time.monotonic() - begin - timeout
        self.record("overshoot", overshoot)
        assert overshoot < (OVERSHOOT if FULL else PATIENCE)
