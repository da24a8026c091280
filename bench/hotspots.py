"""Where the time of a measure goes, one row at a time: system calls by strace, functions by perf.

    python bench/hotspots.py pingpong wiretight          system calls, then the functions that cost most
    python bench/hotspots.py bulk 'C naive' --tool strace
    python bench/hotspots.py asyncio-echo wiretight --tool callgrind      counts, of user space only

Takes one sample under the tool. strace makes every call slow: read its counts, never its times. Start-up and the
warm-up are in the counts too; that is why the sample is large.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from endpoints import write_certificates
from measures import MEASURES, NAMES
from rows import row_named
from sample import COUNTS, build_limit, command_for, environment

TOOLS = ("strace", "perf", "callgrind")
# A sandbox may have no hardware counters; the task clock is always there.
PERF_EVENT = os.environ.get("PERF_EVENT", "cpu-clock")


def look(tool: str, command: list[str], folder: Path, options: dict[str, Any], lines: int) -> None:
    around = environment(folder, options)

    def started(*words: str, show: bool = False) -> None:
        subprocess.run(words, env=around, check=True, stdout=None if show else subprocess.DEVNULL)

    if tool == "strace":
        counts = folder / "strace.txt"
        started("strace", "-f", "-c", "-U", "calls,errors,name", "-S", "calls", "-o", str(counts), *command)
        print("\n".join(counts.read_text().splitlines()[:lines]))
    elif tool == "perf":
        data = str(folder / "perf.data")
        started("perf", "record", "-q", "-e", PERF_EVENT, "-F", "4000", "-g", "-o", data, *command)
        for sort in ("dso", "dso,symbol"):
            report = subprocess.run(
                ["perf", "report", "-i", data, "--stdio", "-q", "--no-children", "-g", "none", "--sort", sort],
                capture_output=True,
                text=True,
                check=True,
            )
            # A library without symbols yields one line per address: the line of its dso has said enough.
            named = [
                line[:100].rstrip() for line in report.stdout.splitlines() if line.strip() and "[.] 0x0" not in line
            ]
            print("\n".join(named[:lines]), end="\n\n")
    else:
        profile = str(folder / "callgrind.out")
        started("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={profile}", *command)
        started("callgrind_annotate", "--threshold=90", profile, show=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="hotspots", description="Where the time of a measure goes.")
    parser.add_argument("measure", choices=NAMES)
    parser.add_argument("row", help="a row of that measure, by its name in the table")
    parser.add_argument("--tool", choices=TOOLS, action="append", help="default: strace and perf")
    parser.add_argument("--lines", type=int, default=30, help="how many lines of each report (30)")
    parser.add_argument("--times", type=float, default=2.5, help="how many usual samples (2.5)")
    options = parser.parse_args()
    measure = next(measure for measure in MEASURES if measure.name == options.measure)
    row = row_named(measure.family, options.row)
    if missing := row.missing():
        parser.error(f"{options.row} is not a row, or {missing} is not installed")
    sizes = {name: int(measure.options[name] * options.times) for name in COUNTS if name in measure.options}
    with tempfile.TemporaryDirectory(prefix="wiretight-bench-") as name:
        folder = Path(name)
        write_certificates(folder, "TLS_AES_256_GCM_SHA384")
        if row.variant:
            build_limit(folder)
        command = command_for(row, measure.family, measure.module, folder, {**measure.options, **sizes})
        for tool in options.tool or TOOLS[:2]:
            if shutil.which("valgrind" if tool == "callgrind" else tool) is None:
                print(f"hotspots: {tool} is not installed", file=sys.stderr)
                return 1
            print(f"--- {tool}: {measure.title}, {options.row}", flush=True)
            look(tool, command, folder, measure.options, options.lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
