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


# Interrupted before and after each module of the core in turn, on and on in one process.
INTERRUPTED = """
import ssl
from _frozen_importlib_external import ExtensionFileLoader
execute = ExtensionFileLoader.exec_module
left, is_after = 0, False
def interrupted(loader, module):
    global left
    if is_after:
        execute(loader, module)
    left -= 1
    if left == 0:
        raise KeyboardInterrupt
    if not is_after:
        execute(loader, module)
ExtensionFileLoader.exec_module = interrupted
interruptions = 0
for moment in range(1, 1000):
    left, is_after = moment // 2 + 1, moment % 2
    try:
        import wiretight
    except KeyboardInterrupt:
        interruptions += 1
    else:
        break
wiretight.create_default_context()
print(interruptions > len(wiretight._core.MODULES), wiretight.MemoryBIO().write(b"data"))
"""


def test_an_import_that_was_interrupted_can_be_repeated() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True 4\n", "")
