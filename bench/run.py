"""Compare what TLS costs: wiretight beside the standard `ssl`, what else Python has, and C on the same OpenSSL.

    python bench/run.py                     everything; under ten minutes
    python bench/run.py --only bulk         one comparison, under 30 s; several: --only bulk,import
    python bench/run.py --quick             everything, small: a smoke test
    python bench/run.py --save reference    also write results/reference.md, .json and .png

README.md, beside this file, says what is measured and how to read it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from chains import write_chains
from endpoints import allowed_cpus, write_certificates
from goals import Samples
from measures import MEASURES, NAMES, Measure, chosen
from plot import save_plots
from report import markdown, saved, show, summary
from rows import SUBJECT, Row, row_named
from sample import HERE, SampleError, build_limit, take

ROUNDS, QUICK_ROUNDS = 7, 2
SECONDS = 24.0


class Suite:
    """One run: its rows and measures, and what was left out of it and why."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.left_out: list[str] = []
        self.limits: set[str] = set()  # the OpenSSLs that there is a C program on

    def run(self) -> dict[str, Any]:
        load = os.getloadavg()[0]
        write_certificates(self.folder, self.options.cipher)
        write_chains(self.folder)
        measures = chosen(self.options.only)
        self.build_limits({row_named(each.family, row) for each in measures for row in self.wanted(each)})
        measured = []
        # Those that only look at another part of the samples stand side by side.
        for _, alike in itertools.groupby(filter(self.possible, measures), lambda each: (each.module, each.options)):
            group = list(alike)
            samples = self.samples(group[0])
            measured += [summary(measure, part_of(samples, measure.part), SUBJECT) for measure in group]
        return {
            "subject": SUBJECT,
            "commit": commit(),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cpus": len(allowed_cpus()) or os.cpu_count(),
            "load": load,
            "measures": measured,
            "left_out": self.left_out,
        }

    def build_limits(self, rows: set[Row]) -> None:
        for own in sorted({row.own for row in rows if row.variant and not (row.own and row.missing())}):
            try:
                build_limit(self.folder, own)
                self.limits.add(own)
            except SampleError as error:
                self.left_out.append(f"left out: the C rows: {error}")

    def wanted(self, measure: Measure) -> list[str]:
        rows = self.options.rows
        return list(measure.rows) if rows is None else [row for row in rows if row in measure.rows or "." in row]

    def possible(self, measure: Measure) -> bool:
        missing = [program for program in measure.programs if shutil.which(program) is None]
        if missing:
            self.left_out.append(f"left out: {measure.title}: needs {', '.join(missing)}, which is not installed")
        return not missing and bool(self.wanted(measure))

    def samples(self, measure: Measure) -> Samples:
        """Every row takes a sample in each round, one after the other, so that a disturbance meets all rows alike.

        Rounds end when they are enough, or when another one would take longer than the measure may.
        """
        if self.options.quick:
            measure = replace(measure, options={**measure.options, **measure.quick})
        rows = [row for name in self.wanted(measure) if (row := self.ready(measure, name))]
        taken: Samples = {row.name: [] for row in rows}
        rounds = min(self.options.rounds, measure.rounds or self.options.rounds)
        begun = time.monotonic()
        for done in range(rounds):
            for row in list(rows):
                what = f"{measure.title}: round {done + 1} of {rounds}: {row.name}"
                progress(what)
                try:
                    taken[row.name].append(self.sample(measure, row, what))
                except SampleError as error:
                    self.left_out.append(f"left out: {measure.title}: {error}")
                    rows.remove(row)
                    del taken[row.name]
            spent = time.monotonic() - begun
            if spent + spent / (done + 1) > self.options.seconds:
                break
        progress("")
        return taken

    def sample(self, measure: Measure, row: Row, what: str) -> dict[str, Any]:
        def told(text: str) -> None:
            progress(f"{what}: {text}")

        sample = take(row, measure.family, measure.module, self.folder, measure.options, measure.patience, told)
        notes = [f"{measure.title}: {note}" for note in sample.pop("notes", ())]
        self.left_out += [note for note in notes if note not in self.left_out]
        return sample

    def ready(self, measure: Measure, name: str) -> Row | None:
        row = row_named(measure.family, name)
        missing = row.missing()
        if row.variant and not missing:
            return row if row.own in self.limits else None
        line = f"left out: {name}: {missing} is not installed"
        if missing and line not in self.left_out:
            self.left_out.append(line)
        return None if missing else row


def part_of(samples: Samples, part: str) -> Samples:
    """The same samples with the number of one part of them, if that is asked for."""
    if not part:
        return samples
    return {row: [{**sample, "value": sample["parts"][part]} for sample in taken] for row, taken in samples.items()}


def commit() -> str | None:
    """Of the repository that this file is in."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def save(results: dict[str, Any], name: str) -> None:
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    text = saved(results)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    # Of the shortened numbers: rounded once more, another one may come out.
    (folder / f"{name}.md").write_text(markdown(json.loads(text)), encoding="utf-8")
    if not save_plots(results, folder, name):
        print("no plots: matplotlib is not installed", file=sys.stderr)


def listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="What TLS costs: wiretight and the others, side by side."
    )
    add = parser.add_argument
    add(
        "--only",
        type=listed,
        default=[measure.name for measure in MEASURES if not measure.named],
        metavar="NAME,…",
        help=f"which measures, or how they begin (handshake): {', '.join(NAMES)}",
    )
    add("--rows", type=listed, metavar="NAME,…", help="which rows, by their names in the table")
    add("--quick", action="store_true", help="few rounds of small samples; numbers for a smoke test only")
    add(
        "--rounds",
        type=int,
        metavar="N",
        help=f"samples per row and measure, at most ({ROUNDS}; quick: {QUICK_ROUNDS})",
    )
    add("--seconds", type=float, default=SECONDS, help=f"per measure; ends its rounds early ({SECONDS:.0f})")
    add("--cipher", default="TLS_AES_256_GCM_SHA384", help="TLS 1.3 cipher suite")
    add("--json", action="store_true", help="print JSON instead of the table")
    add("--save", metavar="NAME", help="also write results/NAME.md, .json and .png beside this file")
    add("--report", metavar="NAME", help="only print the tables of results/NAME.json again")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if unknown := {name for name in options.only if not chosen([name])}:
        parser.error(f"--only knows {', '.join(NAMES)}, not {', '.join(sorted(unknown))}")
    known = {row for measure in MEASURES for row in measure.rows}
    if unknown := set(options.rows or ()) - known:
        parser.error(f"--rows knows {', '.join(sorted(known))}, not {', '.join(sorted(unknown))}")
    return options


def main() -> int:
    options = parsed(sys.argv[1:])
    if options.report:
        results = json.loads((HERE / "results" / f"{options.report}.json").read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory(prefix="wiretight-bench-") as folder:
            results = Suite(options, Path(folder)).run()
    if options.json:
        print(json.dumps(results, indent=1, ensure_ascii=False))
    else:
        show(results, sys.stdout.isatty())
    if options.save:
        save(results, options.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
