"""Run by the interpreter under test: one of its own test modules, with its own `ssl` or with wiretight in its place.

Usage: child.py REPORT JOB, two files: REPORT is written, a JSON object a line, as the tests go, so that whoever waits
knows where a process died. JOB is a JSON object: `module`, `pattern` (of the tests' names), `skip` (names), `path`
(folders to import wiretight from), `wiretight` (whether to install it), `patience` (seconds for one test).
"""

from __future__ import annotations

import faulthandler
import json
import re
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO


class Reporter(unittest.TestResult):
    """Writes what comes of every test; one that has no outcome was the last one."""

    def __init__(self, report: TextIO, patience: float) -> None:
        super().__init__()
        self.report = report
        self.patience = patience
        self.outcome = ("", "")

    def write(self, **facts: Any) -> None:
        self.report.write(json.dumps(facts) + "\n")
        self.report.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.outcome = ("pass", "")
        self.write(test=test.id())
        faulthandler.dump_traceback_later(self.patience, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        self.write(test=test.id(), outcome=self.outcome[0], detail=self.outcome[1])

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.worse(test, "fail", err)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self.worse(test, "fail", err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            kind = "skip" if issubclass(err[0], unittest.SkipTest) else "fail"
            self.worse(test, kind, err, f"{subtest}\n")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.outcome = ("skip", reason)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self.outcome = ("fail", "unexpected success")

    def worse(self, test: Any, kind: str, err: Any, before: str = "") -> None:
        detail = before + self._exc_info_to_string(err, test)  # type: ignore[attr-defined]
        if isinstance(test, unittest.TestCase):
            if self.outcome[0] != "fail":
                self.outcome = (kind, "")
            self.outcome = (self.outcome[0], self.outcome[1] + detail)
        else:  # the fixture of a class or a module: none of its tests will run
            self.write(test=test.id(), outcome=kind, detail=detail)


def flattened(tests: unittest.TestSuite | unittest.TestCase) -> Iterator[unittest.TestCase]:
    if isinstance(tests, unittest.TestCase):
        yield tests
    else:
        for inner in tests:
            yield from flattened(inner)


def main() -> None:
    job = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    sys.path[:1] = job["path"]  # the first one was this file's folder
    if job["wiretight"]:
        import wiretight

        wiretight.install()
    from test import support

    support.use_resources = {}  # as regrtest does: no network
    with Path(sys.argv[1]).open("a", encoding="utf-8") as report:
        reporter = Reporter(report, job["patience"])
        try:
            everything = unittest.defaultTestLoader.loadTestsFromName(job["module"])
        except unittest.SkipTest as skip:
            reporter.write(test=job["module"], outcome="skip", detail=str(skip))
            everything = unittest.TestSuite()
        chosen = [
            test
            for test in flattened(everything)
            if test.id() not in job["skip"] and re.search(job["pattern"], test.id())
        ]
        unittest.TestSuite(chosen).run(reporter)
        reporter.write(done=True)
    faulthandler.dump_traceback_later(job["patience"], exit=True)  # for the threads that the interpreter waits for


if __name__ == "__main__":
    main()
