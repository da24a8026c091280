"""Mutated inputs in number: python -m fuzz.run TARGET --count N. One line of JSON says what was met.

An input that is met badly ends the run: by a signal, by an exception that is none of the documented ones, by more than
a second of computing, or by memory that grows. Its number is in the message, and `--start NUMBER --count 1` repeats it
as far as keys and randomness allow.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import os
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path

from fuzz.targets import TARGETS

SLOW = 1.0  # seconds of computing that one input may cost
SLACK = 6 << 20  # bytes that an allocator may take and keep
PER_INPUT = 2  # bytes of growth for each input: less than the smallest thing that could leak with each


def memory() -> int:
    """Bytes of this process that lie in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("target", choices=TARGETS)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--start", type=int, default=0)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()

    faulthandler.enable()
    warnings.simplefilter("ignore")  # certificates with names of unknown kinds
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[given.target](Path(folder))
        settled, warm = 0, given.start + given.count // 4
        for number in range(given.start, given.start + given.count):
            # What hangs ends here, with the place; what is only slow on a busy machine does not.
            faulthandler.dump_traceback_later(60, exit=True)
            started = time.thread_time()
            try:
                target.once(random.Random(f"{given.target} {given.seed} {number}"))
            except BaseException:
                print(f"input {number} of {given.target}, seed {given.seed}", file=sys.stderr)
                raise
            spent = time.thread_time() - started
            assert spent < SLOW, f"input {number} cost {spent:.3f} s"
            slowest = max(slowest, spent)
            if number == warm:
                settled = memory()
        faulthandler.cancel_dump_traceback_later()
        growth = memory() - settled
    if "SANITIZERS" not in os.environ:
        assert growth < SLACK + PER_INPUT * given.count, f"{growth} bytes more after {given.count} inputs"
    print(
        json.dumps(
            {
                "target": given.target, "count": given.count, "seed": given.seed, "start": given.start,
                "slowest": round(slowest, 4), "growth": growth, "sanitized": "SANITIZERS" in os.environ,
                "outcomes": dict(target.outcomes.most_common()),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
