"""Importing wiretight costs little more than importing the standard library's `ssl`."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.repo.source import ROOT

PROGRAM = """
import sys
import ssl
before = set(sys.modules)
import wiretight
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("wiretight")))
"""

# Each would make a visible difference to a short program.
SLOW = {
    "asyncio", "calendar", "contextlib", "dataclasses", "datetime", "importlib.machinery", "importlib.util", "inspect",
    "locale", "textwrap", "threading", "typing", "weakref",
}  # fmt: skip


def test_it_imports_no_slow_module() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert "cython" in done.stdout
    assert not SLOW & set(done.stdout.split())


def test_install_is_imported_on_demand_and_not_by_import_star() -> None:
    program = (
        "import wiretight; from wiretight import install, uninstall; assert install is wiretight.install; "
        "assert 'install' not in wiretight.__all__; print(uninstall.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "uninstall\n"


def test_its_source_tree_says_to_install_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", "import wiretight"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode
    assert "install the package (pip install .) instead of importing it from its source tree" in done.stderr


SECOND_INTERPRETER = """
import wiretight
try:
    import _interpreters as interpreters
    failure = interpreters.exec(interpreters.create(), "import wiretight")
    print(failure.formatted)
except ImportError:
    import _xxsubinterpreters as interpreters
    try:
        interpreters.run_string(interpreters.create(), "import wiretight")
    except interpreters.RunFailedError as error:
        print(error)
"""


def test_a_second_interpreter_gets_an_error_with_alternatives() -> None:
    done = subprocess.run([sys.executable, "-c", SECOND_INTERPRETER], capture_output=True, text=True, check=True)
    assert "ImportError" in done.stdout
    assert "use threads or processes instead of subinterpreters" in done.stdout
