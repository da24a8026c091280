"""Mutated inputs in number: python -m fuzz.run TARGET --count N. One line of JSON says what was met.

An input that is met badly ends the run: by a signal, by an exception that is none of the documented ones, by more than
a second of computing, or by memory that grows. Its number is in the message, and `--start NUMBER --count 1` repeats it
as far as keys and randomness allow.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import io
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import wiretight
from fuzz.targets import TARGETS, Target
from tests.kit.memory import COUNTED, allocated

SLOW = 1.0  # seconds of computing that one input may cost
HANGING = 60.0  # seconds after which one ends the run: what is only slow on a busy machine does not come near
SLACK = 256 << 10  # bytes that tables and samples may still grow by
PER_INPUT = 2  # bytes of growth for each input: less than the smallest thing that could leak with each


def cost(target: Target, name: str) -> float:
    """Seconds of computing for one input: the target's, the seed's and its own number are its name."""
    signal.setitimer(signal.ITIMER_REAL, HANGING)
    started = time.thread_time()
    try:
        target.once(random.Random(name))
    except BaseException:
        print(f"at the input {name}", file=sys.stderr)
        raise
    return time.thread_time() - started


def print_the_unraisable() -> None:
    """Once, to nowhere: the modules with which Python 3.15 prints it are imported then, and would count as growth."""

    class Raising:
        def __del__(self) -> None:
            raise ValueError

    with contextlib.redirect_stderr(io.StringIO()):
        Raising()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("target", choices=TARGETS)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--start", type=int, default=0)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()

    faulthandler.enable()
    faulthandler.register(signal.SIGALRM, chain=True)  # what hangs says where, and ends by the signal
    warnings.simplefilter("ignore")  # certificates with names of unknown kinds
    sanitized = "SANITIZERS" in os.environ
    counted = COUNTED and not sanitized  # the sanitizers have an allocator of their own
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[given.target](Path(folder))
        settled, warm = 0, given.start + given.count // 4
        print_the_unraisable()
        gc.freeze()  # every collection would look at what was imported
        for number in range(given.start, given.start + given.count):
            name = f"{given.target} {given.seed} {number}"
            spent = cost(target, name)
            if spent > SLOW:
                spent = cost(target, name)  # a machine without memory charges a process for finding some
            assert spent < SLOW, f"input {number} cost {spent:.3f} s, twice"
            slowest = max(slowest, spent)
            if number == warm and counted:
                settled = allocated()
        signal.setitimer(signal.ITIMER_REAL, 0)
        growth = allocated() - settled if counted else None
    if growth is not None:
        assert growth < SLACK + PER_INPUT * given.count, f"{growth} bytes more after {given.count} inputs"
    print(
        json.dumps(
            {
                "target": given.target, "count": given.count, "seed": given.seed, "start": given.start,
                "slowest": round(slowest, 4), "slowest call": target.slowest, "growth": growth, "sanitized": sanitized,
                "openssl": wiretight.OPENSSL_VERSION, "python": platform.python_version(),
                "outcomes": dict(target.outcomes.most_common()),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
