"""Where the time of a measure goes, one row at a time: system calls by strace, functions by perf.

    python bench/hotspots.py pingpong wiretight          system calls, then the functions that cost most
    python bench/hotspots.py bulk c --tool strace
    python bench/hotspots.py pingpong ssl --tool callgrind     where perf cannot run; user space only, counted not timed

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

import run
from endpoints import write_certificates
from sample import LIMIT, build_limit, command_for

TOOLS = ("strace", "perf", "callgrind")
# A sandbox may have no hardware counters; the task clock is always there.
PERF_EVENT = os.environ.get("PERF_EVENT", "cpu-clock")


def look(tool: str, command: list[str], folder: Path, lines: int) -> None:
    environment = {**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")}

    def started(*words: str, show: bool = False) -> None:
        subprocess.run(words, env=environment, check=True, stdout=None if show else subprocess.DEVNULL)

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
    parser.add_argument("measure", choices=["bulk", "pingpong", "handshake"])
    parser.add_argument("row", help="a module with ssl's interface, or c")
    parser.add_argument("--tool", choices=TOOLS, action="append", help="default: strace and perf")
    parser.add_argument("--lines", type=int, default=30, help="how many lines of each report (30)")
    options = parser.parse_args()
    sizes = run.parsed(["--only", options.measure, "--rows", options.row, "--mib", "512", "--round-trips", "40000"])
    measure = run.measures(sizes)[0]
    with tempfile.TemporaryDirectory(prefix="wiretight-bench-") as name:
        folder = Path(name)
        write_certificates(folder, sizes.cipher)
        if options.row == LIMIT:
            build_limit(folder)
        command = command_for(options.row, measure.module, folder, measure.options)
        for tool in options.tool or TOOLS[:2]:
            if shutil.which("valgrind" if tool == "callgrind" else tool) is None:
                print(f"hotspots: {tool} is not installed", file=sys.stderr)
                return 1
            print(f"--- {tool}: {measure.name}, {options.row}", flush=True)
            look(tool, command, folder, options.lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
