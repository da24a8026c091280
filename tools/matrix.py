"""Run a selection of the tests on every Python with every OpenSSL, one after another, and print a table.

Usage: scripts/test --matrix [pytest's arguments]

The Pythons are those given (scripts/test finds them), and interpreters that were only unpacked somewhere, with their
headers, which WIRETIGHT_COMPAT_PYTHONS names: nothing can be installed into them, so wiretight is built for them
aside. The OpenSSLs are the system's and the newest of each line in openssl-releases.json.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
SELECTION = [
    "tests/static",
    "tests/face",
    "tests/core/test_wire.py",
    "tests/core/test_nonblocking.py",
    "tests/interop/test_objects.py",
    "tests/interop/test_sockets.py",
    "tests/interop/test_side_by_side.py",
]
OUT_OF_REACH = 77  # tools/build_openssl.py
ASK = "import platform, sys, sysconfig as s; print('%d.%d.%d' % sys.version_info[:3] + s.get_config_var('abiflags'))"


class Cell(NamedTuple):
    """What came of one Python with one OpenSSL."""

    python: str
    openssl: str
    outcome: str
    skips: Counter[str]
    failed: bool


def run(command: list[str], log: Path, **environment: str) -> int:
    """The status of a command whose output goes into the log."""
    with log.open("a") as output:
        print("$", *command, file=output, flush=True)
        done = subprocess.run(
            command, stdout=output, stderr=output, cwd=ROOT, env={**os.environ, **environment}, check=False
        )
    return done.returncode


def unpacked(command: str, openssl: str, arguments: list[str], folder: Path, log: Path) -> int:
    """The status of the tests on an interpreter that has no environment of its own."""
    version = ".".join(version_of(command).split(".")[:2])
    site, built = folder / "site", folder / "built"
    build = [sys.executable, "-m", "tests.compat.building", command, str(built)]
    if openssl != "system":
        build += ["-Dopenssl=static", f"-Dopenssl_version={openssl}"]
    install = [sys.executable, "-m", "pip", "install", "--target", str(site), "--only-binary=:all:"]
    for step in ([*install, f"--python-version={version}", "--group", "test"], build):
        if status := run(step, log):
            return status
    package = next(built.rglob("wiretight/__init__.py")).parents[1]
    path = os.pathsep.join(map(str, (package, site, ROOT)))
    return run([command, "-m", "pytest", *arguments], log, PYTHONPATH=path)


def cell(command: str, openssl: str, selection: list[str], *, installable: bool) -> Cell:
    """Builds and runs the tests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report, log = folder / "report.xml", folder / "log"
        arguments = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", *selection]
        if installable:
            test = ["scripts/test", "--bare", "--openssl", openssl, "--python", command]
            status = run([*test, *arguments], log)
        else:
            status = run([sys.executable, "tools/build_openssl.py", openssl], log) if openssl != "system" else 0
            status = status or unpacked(command, openssl, arguments, folder, log)
        said = log.read_text(errors="replace")
        python = version_of(command)
        if status == OUT_OF_REACH:
            reason = next(line for line in said.splitlines() if "in reach" in line)
            return Cell(python, openssl, "skipped", Counter({reason.partition(": ")[2]: 1}), failed=False)
        if not report.exists():
            print(said[-6000:], file=sys.stderr)
            return Cell(python, openssl, f"could not be built (status {status})", Counter(), failed=True)
        return counted(python, openssl, report, said)


def counted(python: str, openssl: str, report: Path, said: str) -> Cell:
    """What pytest's report says."""
    suite = next(ET.parse(report).iter("testsuite"))  # noqa: S314 (we have just written it)
    skips = Counter(entry.get("message", "") for entry in suite.iter("skipped"))
    bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    passed = int(suite.get("tests", 0)) - sum(skips.values()) - bad
    if bad:
        print(said[-6000:], file=sys.stderr)
    outcome = f"{passed} passed, {sum(skips.values())} skipped" + (f", {bad} FAILED" if bad else "")
    return Cell(python, openssl, outcome, skips, failed=bad > 0)


def version_of(command: str) -> str:
    """Such as "3.13.2", or "3.14.0t" of a free-threaded build."""
    return subprocess.run([command, "-c", ASK], capture_output=True, text=True, check=True).stdout.strip()


def lines() -> list[str]:
    """The newest release of each line of OpenSSL that is pinned, as "3.5"."""
    releases = json.loads((ROOT / "tools/openssl-releases.json").read_text())["releases"]
    return sorted({version.rpartition(".")[0] for version in releases})


def main() -> None:
    """Print a row as soon as it is known, and then why tests were skipped."""
    pythons = dict.fromkeys(filter(None, os.environ["WIRETIGHT_PYTHONS"].split("\n")), True)
    pythons |= dict.fromkeys(os.environ.get("WIRETIGHT_COMPAT_PYTHONS", "").split(), False)
    cells = []
    print(f"{'Python':10}  {'OpenSSL':8}  outcome")
    for command, installable in pythons.items():
        for openssl in ["system", *lines()]:
            done = cell(command, openssl, sys.argv[1:] or SELECTION, installable=installable)
            cells.append(done)
            print(f"{done.python:10}  {done.openssl:8}  {done.outcome}", flush=True)
    reasons: dict[str, list[str]] = {}
    for done in cells:
        for reason, number in done.skips.items():
            reasons.setdefault(reason, []).append(f"{done.python} {done.openssl}: {number}")
    for reason, where in sorted(reasons.items()):
        print(f"skipped: {reason}\n         ({', '.join(where)})")
    raise SystemExit(any(done.failed for done in cells))


if __name__ == "__main__":
    main()
