"""Run other projects' own tests with the standard `ssl` and after install(), and compare them test by test.

Usage: suites.py --wheel WHEEL [--folder FOLDER] [--json] [SUITE...]

Each has a folder with its source package, as the package index has it, and a virtual environment with wiretight and
what its tests require. The second run differs from the first in a sitecustomize.py on the path that calls install():
before anything else, and in the processes that the tests start. A test that fails is run once more in either way,
because some depend on how busy the machine is.
"""

import argparse
import json
import os
import subprocess
import tarfile
import venv
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from builders import cache, fail, processors, run, said, say

INSTALL = "import wiretight\n\nwiretight.install()\n"
VERSIONS = "import ssl, sys; print(sys.version.split()[0], '/', ' '.join(ssl.OPENSSL_VERSION.split()[:2]))"
MODULES = {"ssl": "ssl", "install": "wiretight"}  # by way, where SSLContext comes from
WITH, AFTER = "with `ssl`", "after `install()`"
KINDS = ("failure", "error", "skipped")  # as JUnit's XML names them
RAN = (0, 1)  # pytest's status: all passed, some failed; others, and signals, are of runs that say nothing


class Suite(NamedTuple):
    """A project's tests."""

    version: str
    requirements: str  # arguments of `pip install`, in the source tree
    options: str  # of pytest
    files: str = ""  # in tests/, without the suffix; all of them by default


SUITES = {
    # Those that name ssl, and start a server.
    "aiohttp": Suite(
        "3.14.5",
        "-r requirements/test.in",
        f"--no-cov --numprocesses={processors()}",
        "test_client_exceptions test_client_fingerprint test_client_functional test_client_proto test_client_request "
        "test_client_session test_client_ws_functional test_connector test_proxy test_proxy_functional test_run_app "
        "test_test_utils test_web_functional test_web_request test_web_runner test_web_sendfile_functional "
        "test_web_server test_worker",
    ),
    "aiosmtplib": Suite("5.1.3", "-r requirements-dev.txt uvloop", ""),
    "eventlet": Suite("0.41.3", "pytest dnspython greenlet", "", "ssl_test greenio_test wsgi_test"),
    "httplib2": Suite("0.32.1", "-r requirements.txt -r requirements-test.txt", "--no-cov -p no:randomly"),
}


class Result(NamedTuple):
    """What came of a suite's two runs."""

    name: str
    versions: str  # of Python and of the OpenSSL that ssl has
    before: dict[str, str]  # with ssl: the outcome of each test
    after: dict[str, str]  # after install()

    def differences(self) -> list[str]:
        """The tests with another outcome."""
        names = self.before.keys() | self.after.keys()
        return sorted(name for name in names if self.before.get(name) != self.after.get(name))


class Tree:
    """A project's source package, and the environment that its tests run in."""

    def __init__(self, name: str, folder: Path, wheel: Path) -> None:
        self.suite = SUITES[name]
        self.name = name
        self.folder = folder
        self.wheel = wheel
        self.source = folder / f"{name}-{self.suite.version}"
        self.python = folder / "env/bin/python"
        self.site = folder / "site"

    def prepare(self) -> None:
        """Downloads and installs it all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        venv.create(self.folder / "env", with_pip=True, clear=True, symlinks=True)
        release = f"{self.name}=={self.suite.version}"
        self.pip("download", "--no-deps", "--no-binary", self.name, "--dest", self.folder, release, inside=self.folder)
        with tarfile.open(f"{self.source}.tar.gz") as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(self.folder)  # noqa: S202  the index has checked its digest
        self.pip("install", *self.suite.requirements.split(), inside=self.source)
        self.pip("install", "--no-deps", "--force-reinstall", self.wheel, inside=self.folder)
        self.site.mkdir(exist_ok=True)
        (self.site / "sitecustomize.py").write_text(INSTALL)

    def pip(self, command: str, *arguments: str | Path, inside: Path) -> None:
        done, output = said([str(self.python), "-m", "pip", command, *map(str, arguments)], inside, patience=60)
        if not done:
            fail(f"pip {command} failed for {self.name}:\n{output[-2000:]}")

    def run(self, way: str) -> dict[str, str]:
        """The outcome of each test, by name."""
        # aiohttp runs from its tree, whose extensions nobody has compiled.
        environment = {**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"}
        if way == "install":
            environment["PYTHONPATH"] = str(self.site)
        if self.asked("import ssl; print(ssl.SSLContext.__module__)", environment) != MODULES[way]:
            fail(f"in {self.folder}, ssl is not {MODULES[way]}")
        log, results = self.folder / f"{way}.log", self.folder / f"{way}.xml"
        options = ["-o", f"cache_dir={self.folder / way}", f"--junit-xml={results}"]
        tests = [f"tests/{name}.py" for name in self.suite.files.split()] or ["tests"]
        found: dict[str, str] = {}
        for again in ([], ["--last-failed", "--last-failed-no-failures=none"]):
            results.unlink(missing_ok=True)  # of a run before, which this one need not come to replace
            with log.open("ab" if again else "wb") as file:
                status = subprocess.run(
                    [self.python, "-m", "pytest", "-v", *options, *again, *self.suite.options.split(), *tests],
                    cwd=self.source, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                    check=False,
                ).returncode  # fmt: skip
            if status not in RAN or not results.exists():
                fail(f"the tests of {self.name} did not run (status {status}): see {log}")
            found |= outcomes(results)
            if not {"failed", "error"} & set(found.values()):
                break
        return found

    def result(self) -> Result:
        """Both runs."""
        versions = self.asked(VERSIONS, dict(os.environ))
        return Result(f"{self.name} {self.suite.version}", versions, self.run("ssl"), self.run("install"))

    def asked(self, program: str, environment: dict[str, str]) -> str:
        """What a line of Python prints there."""
        command = [self.python, "-c", program]
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def outcomes(results: Path) -> dict[str, str]:
    """By test, what JUnit's XML says of it."""
    found = {}
    for case in ET.parse(results).getroot().iter("testcase"):  # noqa: S314  our own file
        kind = next((kind for kind in KINDS if case.find(kind) is not None), "passed")
        found[f"{case.get('classname')}::{case.get('name')}"] = {"failure": "failed"}.get(kind, kind)
    return found


def counted(tests: dict[str, str]) -> str:
    """How many had which outcome."""
    count = Counter(tests.values())
    return ", ".join(f"{count[kind]:,} {kind}" for kind in ("passed", "failed", "error", "skipped") if count[kind])


def described(result: Result, suite: Suite) -> dict[str, object]:
    """A line of JSON for scripts/reliability."""
    differences = result.differences()
    return {
        "target": "suites",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "suite": result.name,
        "tests": suite.files.replace(" ", ", ") or "all",
        "Python / OpenSSL": result.versions,
        WITH: counted(result.before),
        AFTER: f"{counted(result.after)}; differs: {', '.join(differences)}" if differences else "each the same",
    }


def main() -> None:
    """Print what came of a suite as soon as it is known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"all of them, or of {', '.join(SUITES)}")
    parser.add_argument("--wheel", type=Path, required=True, help="wiretight")
    parser.add_argument("--folder", type=Path, default=cache() / "suites", help="of the trees and their logs")
    parser.add_argument("--json", action="store_true", help="lines of JSON, for scripts/reliability")
    options = parser.parse_args()
    unknown = [name for name in options.suites if name not in SUITES]
    if unknown:
        parser.error(f"no such suite: {', '.join(unknown)}; there are {', '.join(SUITES)}")
    status = 0
    for name in options.suites or SUITES:
        tree = Tree(name, options.folder / name, options.wheel)
        say(f"preparing {name}")
        tree.prepare()
        say(f"running {name} twice")
        result = tree.result()
        if result.differences():
            status = 1
        row = described(result, tree.suite)
        text = ": ".join((result.name, str(row[WITH]), str(row[AFTER])))
        print(json.dumps(row) if options.json else text, flush=True)
    say(f"the logs are in {options.folder}")
    raise SystemExit(status)


if __name__ == "__main__":
    run(main)
