"""Run the tests on each Python with each OpenSSL, one after another, and print a table.

Usage: matrix.py [--every] PYTHON... -- [pytest's arguments]     scripts/test --matrix finds the Pythons and calls this

The OpenSSLs are the system's and the newest of each line in openssl-releases.json. --every: these are all the Pythons
that there are, and for a version that is not among them the table says so. The version of Python that runs this has all
tests on each OpenSSL, and the others a selection.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from builders import OUT_OF_REACH, run

ROOT = Path(__file__).resolve().parents[1]
# What depends on the version of OpenSSL or of Python, without what only takes long: threads, and bytes one by one.
SELECTION = [
    *("tests/static", "tests/core", "tests/face", "tests/interop"),
    *("tests/cli/test_command.py", "tests/cli/test_connect.py"),
    *("--ignore=tests/core/test_threads.py", "--ignore=tests/core/test_select_truth.py"),
    *("-k", "not byte_by_byte and not collects"),
]
FREE_THREADED = "free-threaded"
VERSIONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15", FREE_THREADED]
NOT_FOUND = "skipped: no such Python found; WIRETIGHT_PYTHONS can name one"
NOT_BUILT = "skipped: none found; tools/free_threaded_python.py builds one"
ASK = "import platform, sys, sysconfig as s; print('%d.%d.%d' % sys.version_info[:3] + s.get_config_var('abiflags'))"


class Cell(NamedTuple):
    """What came of one Python with one OpenSSL."""

    python: str
    openssl: str  # such as "own 3.5.7": not always what was built for, where the system's is newer
    outcome: str
    skips: dict[str, int]  # how many, by reason
    failed: bool


def cell(command: str, openssl: str, selection: list[str]) -> Cell:
    """Builds and runs the tests."""
    python = version_of(command)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        test = ["scripts/test", "--bare", "--openssl", openssl, "--python", command]
        done = subprocess.run(
            [*test, "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *selection],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            cwd=ROOT, check=False,
        )  # fmt: skip
        if done.returncode == OUT_OF_REACH:
            reason = next(line for line in done.stdout.splitlines() if "in reach" in line)
            return Cell(python, openssl, f"skipped: {reason.partition(': ')[2]}", {}, failed=False)
        if not report.exists():
            print(done.stdout[-6000:], file=sys.stderr)
            return Cell(python, openssl, f"could not be built (status {done.returncode})", {}, failed=True)
        return counted(python, openssl, report, done)


def counted(python: str, openssl: str, report: Path, done: "subprocess.CompletedProcess[str]") -> Cell:
    """What pytest's report says."""
    suite = next(ET.parse(report).iter("testsuite"))  # noqa: S314 (we have just written it)
    used = {entry.get("name"): entry.get("value", "") for entry in suite.iter("property")}
    if "openssl" in used:
        openssl = f"{'system' if openssl == 'system' else 'own'} {used['openssl'].split()[1]}"
    skips = Counter(entry.get("message", "") for entry in suite.iter("skipped"))
    bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    passed = int(suite.get("tests", 0)) - sum(skips.values()) - bad
    if done.returncode:
        print(done.stdout[-6000:], file=sys.stderr)
    outcome = f"{passed} passed, {sum(skips.values())} skipped" + (f", {bad} FAILED" if bad else "")
    return Cell(python, openssl, outcome, skips, failed=done.returncode != 0)


def version_of(command: str) -> str:
    """Such as "3.13.2", or "3.14.0t" of a free-threaded build."""
    return subprocess.run([command, "-c", ASK], capture_output=True, text=True, check=True).stdout.strip()


def lines() -> list[str]:
    """The newest release of each line of OpenSSL that is pinned, as "3.5"."""
    releases = json.loads((ROOT / "tools/openssl-releases.json").read_text())["releases"]
    return sorted({version.rpartition(".")[0] for version in releases})


def missing(found: list[str]) -> list[str]:
    """The versions of Python that wiretight is for and that are not here."""
    here = {FREE_THREADED if version.endswith("t") else version.rpartition(".")[0] for version in found}
    return [version for version in VERSIONS if version not in here]


def show(python: str, openssl: str, outcome: str) -> None:
    """One row."""
    print(f"{python:13}  {openssl:14}  {outcome}", flush=True)


def main() -> None:
    """Print a row as soon as it is known, and then why tests were skipped."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--every", action="store_true")
    arguments.add_argument("pythons", nargs="+")
    at = sys.argv.index("--")
    options, selection = arguments.parse_args(sys.argv[1:at]), sys.argv[at + 1 :]
    show("Python", "OpenSSL", "outcome")
    cells = []
    running = ".".join(map(str, sys.version_info[:3]))
    for command in options.pythons:
        usual = [] if version_of(command) == running else SELECTION
        for openssl in ["system", *lines()]:
            done = cell(command, openssl, selection or usual)
            cells.append(done)
            show(done.python, done.openssl, done.outcome)
    for version in missing([done.python for done in cells]) if options.every else []:
        show(version, "any", NOT_BUILT if version == FREE_THREADED else NOT_FOUND)
    reasons: dict[str, list[str]] = {}
    for done in cells:
        for reason, number in done.skips.items():
            reasons.setdefault(reason, []).append(f"{done.python} {done.openssl}: {number}")
    for reason, where in sorted(reasons.items()):
        print(f"skipped: {reason}\n         ({', '.join(where)})")
    raise SystemExit(any(done.failed for done in cells))


if __name__ == "__main__":
    run(main)
