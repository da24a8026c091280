"""Runs an interpreter's own tests in processes of their own, and compares: its own `ssl`, then wiretight.

By hand: `python -m tests.compat.runner --help`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.compat.exceptions import allowed

CHILD = Path(__file__).with_name("child.py")
PATIENCE = 120.0  # seconds for one test; a test that needs more hangs
# Some of CPython's tests are races that can be lost; its own CI runs them again too. One in four is lost where the test
# server of Python 3.10 to 3.12 meets a reset, which since 3.13 is an error and not the end of the data: it stops.
TRIES = 6
EXIT = "(exit of the process)"

# The interpreter's test modules that make TLS, and which of their tests.
SUITES = {
    "test_ssl": ("test.test_ssl", ""),
    "asyncio.test_ssl": ("test.test_asyncio.test_ssl", ""),
    "asyncio.test_sslproto": ("test.test_asyncio.test_sslproto", ""),
    "asyncio.test_streams": ("test.test_asyncio.test_streams", ""),
    "asyncio.test_events": ("test.test_asyncio.test_events", "(?i:ssl|tls)"),
    "asyncio.test_sendfile": ("test.test_asyncio.test_sendfile", "(?i:ssl|tls)"),
    "test_httplib": ("test.test_httplib", ""),
    "test_urllib2_localnet": ("test.test_urllib2_localnet", ""),
    "test_ftplib": ("test.test_ftplib", ""),
    "test_imaplib": ("test.test_imaplib", ""),
    "test_poplib": ("test.test_poplib", ""),
    "test_smtplib": ("test.test_smtplib", ""),
    "test_smtpnet": ("test.test_smtpnet", ""),
    "test_xmlrpc": ("test.test_xmlrpc", ""),
    "test_logging": ("test.test_logging", "HTTPHandlerTest|SMTPHandlerTest"),
}


@dataclass(frozen=True)
class Interpreter:
    """A Python, and where it finds wiretight if it is not installed into it."""

    command: str
    path: tuple[str, ...] = ()

    def version(self) -> tuple[int, int]:
        major, minor = self.ask("import sys; print(*sys.version_info[:2])").split()
        return int(major), int(minor)

    def has(self, module: str) -> bool:
        return self.ask(f"import importlib.util as u; print(u.find_spec({module!r}) is not None)") == "True"

    def ask(self, code: str) -> str:
        answer = subprocess.run([self.command, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        return answer.stdout.strip()


@dataclass
class Results:
    """What came of each test: "pass", "skip", "fail" or "died", and the traceback."""

    outcomes: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def passed(self) -> set[str]:
        return {test for test, outcome in self.outcomes.items() if outcome == "pass"}

    def add(self, test: str, outcome: str, detail: str) -> None:
        self.outcomes[test] = outcome
        self.details[test] = detail


def run(interpreter: Interpreter, suite: str, *, wiretight: bool, pattern: str = "") -> Results:
    """Runs one suite, and again what fails and should not."""
    results = _run(interpreter, suite, wiretight, pattern)
    expected = allowed(interpreter.version()) if wiretight else {}
    for _ in range(1, TRIES):
        failed = [test for test, outcome in results.outcomes.items() if outcome == "fail" and test not in expected]
        if not failed:
            break
        again = _run(interpreter, suite, wiretight, "|".join(f"^{re.escape(test)}$" for test in failed))
        for test in again.passed():
            results.add(test, "pass", "not at once")
    return results


def _run(interpreter: Interpreter, suite: str, wiretight: bool, pattern: str) -> Results:
    """Where a test takes its process down, the others go on in a new one."""
    module, own_pattern = SUITES[suite]
    results = Results()
    with tempfile.TemporaryDirectory() as folder:
        while True:
            report, job = Path(folder, "report"), Path(folder, "job")
            report.write_text("", encoding="utf-8")
            task = {
                "module": module,
                "pattern": f"^(?=.*(?:{own_pattern}))(?=.*(?:{pattern}))",
                "skip": sorted(results.outcomes),
                "path": interpreter.path,
                "wiretight": wiretight,
                "patience": PATIENCE,
            }
            job.write_text(json.dumps(task), encoding="utf-8")
            status, output = _process([interpreter.command, str(CHILD), str(report), str(job)], folder)
            lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
            died_in = _collect(lines, results)
            if died_in is None:
                if status != 0:
                    results.add(EXIT, "died", f"status {status}\n{output[-4000:]}")
                return results
            results.add(died_in, "died", f"status {status}\n{output[-8000:]}")
            if died_in == EXIT:
                return results


def _process(command: list[str], folder: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SSL"))}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def _collect(lines: list[dict[str, str]], results: Results) -> str | None:
    """Adds the outcomes, and returns the test in which the process died, or None."""
    running: str | None = EXIT  # until anything was reported
    for line in lines:
        if "outcome" in line:
            results.add(line["test"], line["outcome"], line["detail"])
            running = EXIT
        else:
            running = line.get("test")
    return running


def main() -> None:
    """Prints what fails with wiretight; with --baseline, only what does not fail with the interpreter's own ssl."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("suites", nargs="*", metavar="SUITE", help=f"default: all of {', '.join(SUITES)}")
    arguments.add_argument("--python", default=sys.executable, help="the interpreter (default: this one)")
    arguments.add_argument("--path", action="append", default=[], help="where that interpreter finds wiretight")
    arguments.add_argument("-k", dest="pattern", default="", help="a pattern of the names of tests")
    arguments.add_argument("--own", action="store_true", help="run the interpreter's own ssl")
    arguments.add_argument("--save", type=Path, help="write the outcomes into this folder, as JSON")
    arguments.add_argument("--brief", action="store_true", help="print no tracebacks")
    options = arguments.parse_args()
    interpreter = Interpreter(options.python, tuple(str(Path(folder).resolve()) for folder in options.path))
    for suite in options.suites or SUITES:
        if not interpreter.has(SUITES[suite][0]):
            continue
        results = run(interpreter, suite, wiretight=not options.own, pattern=options.pattern)
        for test, outcome in results.outcomes.items():
            if outcome in ("fail", "died"):
                print(f"--- {outcome}: {test}" + ("" if options.brief else f"\n{results.details[test]}"))
        counts = {kind: list(results.outcomes.values()).count(kind) for kind in ("pass", "skip", "fail", "died")}
        print(f"=== {suite}: {counts}", flush=True)
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            saved = {"outcomes": results.outcomes, "details": results.details}
            Path(options.save, f"{suite}.json").write_text(json.dumps(saved, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
