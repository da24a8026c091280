"""What the tests of descriptors need to know of the process, and of a child that it forks."""

from __future__ import annotations

import gc
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.threads import PATIENCE

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def descriptors_before() -> int:
    """How many are open when a test begins: what the garbage of earlier ones holds would be closed in the middle."""
    gc.collect()
    return open_descriptors()


def open_descriptors() -> int:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("this system does not list the descriptors of a process")
    return len(list(folder.iterdir()))


class Child:
    """What `work` does in the child of a fork. It has a PATIENCE to end; `succeeded()` waits for that."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                work()
                status = 0
            finally:
                os._exit(status)

    def succeeded(self) -> bool:
        handle = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None
        if handle is not None:
            ended = select.select([handle], [], [], PATIENCE)[0]
            os.close(handle)
            if not ended:
                os.kill(self.pid, 9)
        return os.waitpid(self.pid, 0)[1] == 0
