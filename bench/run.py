"""Compare what TLS costs: wiretight, the standard `ssl`, and a C program on the same OpenSSL.

    python bench/run.py                     bulk, ping-pong and handshake; under a minute
    python bench/run.py --quick             the same, small: a smoke test, under 15 s
    python bench/run.py --only bulk --rounds 15 --save bulk

README.md, beside this file, says what is measured and how to read it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import bulk
import handshake
import pingpong
from endpoints import allowed_cpus, write_certificates
from plot import save_plot
from report import Measure, markdown, show, summary
from sample import HERE, LIMIT, SampleError, build_limit, take

SUBJECT = "wiretight"
ROWS = (SUBJECT, "ssl", LIMIT)
MODULES = ("bulk", "pingpong", "handshake")


def measures(options: argparse.Namespace) -> list[Measure]:
    """Every line of the table. The goals are those of the project's issue 2."""

    def bulk_of(call: str, size: int, goals: dict[str, float]) -> Measure:
        name = f"bulk, {call} {size // 1024} KiB"
        return Measure(name, "bulk", bulk.UNIT, {"mib": options.mib, "call": call, "recv_size": size}, goals)

    def pingpong_of(call: str, size: int, goals: dict[str, float]) -> Measure:
        settings = {"round_trips": options.round_trips, "call": call, "recv_size": size}
        return Measure(f"ping-pong 64 B, {call} recv {size}", "pingpong", pingpong.UNIT, settings, goals)

    every = [
        bulk_of("recv_into", options.recv_size, {"ssl": 0.85}),
        bulk_of("recv", 64 * 1024, {}),
        bulk_of("recv", 16 * 1024, {}),
        pingpong_of("send", 64, {"ssl": 0.9}),
        pingpong_of("sendall", 4096, {}),
        Measure("full handshake", "handshake", handshake.UNIT, {"handshakes": options.handshakes}),
    ]
    return [measure for measure in every if measure.module in options.only]


def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Take every sample, one row after the other within a round, so that a disturbance meets all rows alike."""
    write_certificates(folder, options.cipher)
    if LIMIT in options.rows:
        build_limit(folder)
    chosen = measures(options)
    samples: dict[str, dict[str, list[dict[str, Any]]]] = {m.name: {row: [] for row in options.rows} for m in chosen}
    for number in range(options.rounds):
        for measure in chosen:
            progress(f"round {number + 1} of {options.rounds}: {measure.name}")
            for row in options.rows:
                samples[measure.name][row].append(take(row, measure.module, folder, measure.options))
    progress("")
    subject = SUBJECT if SUBJECT in options.rows else options.rows[0]
    return {
        "subject": subject,
        "rounds": options.rounds,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": len(allowed_cpus()) or os.cpu_count(),
        "load": os.getloadavg()[0],
        "measures": [summary(measure, samples[measure.name], subject) for measure in chosen],
    }


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def save(results: dict[str, Any], name: str) -> None:
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(markdown(results), encoding="utf-8")
    if not save_plot(results, folder / f"{name}.svg"):
        print("no plot: matplotlib is not installed", file=sys.stderr)


def listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="CPU cost of TLS: wiretight, ssl and C, side by side.")
    add, number = parser.add_argument, dict[str, Any](type=int, metavar="N")
    add("--rows", type=listed, default=list(ROWS), help=f"modules with ssl's interface, and c ({','.join(ROWS)})")
    add("--only", type=listed, default=list(MODULES), help=f"which measures ({','.join(MODULES)})")
    add("--quick", action="store_true", help="few rounds of small samples; numbers for a smoke test only")
    add("--rounds", help="samples per row and measure (7; quick: 2)", **number)
    add("--mib", help="size of a bulk sample (192; quick: 32)", **number)
    add("--round-trips", help="of a ping-pong sample (15000; quick: 2000)", **number)
    add("--handshakes", help="of a handshake sample (200; quick: 40)", **number)
    add("--recv-size", default=256 * 1024, help="buffer of bulk's recv_into, in bytes (262144)", **number)
    add("--cipher", default="TLS_AES_256_GCM_SHA384", help="TLS 1.3 cipher suite")
    add("--json", action="store_true", help="print JSON instead of the table")
    add("--save", metavar="NAME", help="also write results/NAME.md, .json and .svg beside this file")
    options = parser.parse_args(arguments)
    normal, quick = {"rounds": 7, "mib": 192, "round_trips": 15000, "handshakes": 200}, (2, 32, 2000, 40)
    for (name, value), small in zip(normal.items(), quick, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, small if options.quick else value)
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.recv_size < 1:
        parser.error("--recv-size must be at least 1")
    if unknown := set(options.only) - set(MODULES):
        parser.error(f"--only knows {', '.join(MODULES)}, not {', '.join(sorted(unknown))}")
    for row in options.rows:
        if row != LIMIT and importlib.util.find_spec(row) is None:
            parser.error(f"the module {row} is not installed here; install it, or leave it out with --rows")
    return options


def main() -> int:
    options = parsed(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="wiretight-bench-") as folder:
        try:
            results = run(options, Path(folder))
        except SampleError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    if options.json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        show(results, sys.stdout.isatty())
    if options.save:
        save(results, options.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
