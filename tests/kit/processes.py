"""Processes forked from the test, for what several of them do to one thing."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable


def in_processes(count: int, function: Callable[[int], object]) -> None:
    """Calls `function` with 0, 1, … in that many children at once; all must return."""
    sys.stdout.flush()
    sys.stderr.flush()
    children = [_forked(function, number) for number in range(count)]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert statuses == [0] * count


def _forked(function: Callable[[int], object], number: int) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that the test has threads, which the child does not need
        child = os.fork()
    if child:
        return child
    status = 1
    try:
        function(number)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
