"""Where a program with wiretight runs: without site-packages, a HOME or a disk to write to; not from an archive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipapp
from pathlib import Path
from typing import Any

import wiretight

PROGRAM = Path(__file__).with_name("program.py")
INSTALLED = Path(wiretight.__file__).parents[1]
SUCCESS = "TLSv1.3 1 UTC\n"

# Python itself writes __pycache__, where it may.
WATCHED = """\
import os
import runpy
import sys

written = []


def watch(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        written.append(arguments[0])
    elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink"):
        written.append(arguments[:1])


sys.dont_write_bytecode = True
sys.addaudithook(watch)
program = sys.argv.pop(1)
runpy.run_path(program, run_name="__main__")
print(written)
"""


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)


def usual() -> dict[str, str]:
    paths = [str(INSTALLED), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def arguments(certificates: Any) -> list[object]:
    return [certificates.ca_file, *certificates.server]


def test_it_runs_from_a_path_given_by_hand_without_site_packages(certificates: Any) -> None:
    start = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_path(sys.argv.pop(1))"
    ran = run(sys.executable, "-S", "-I", "-c", start, INSTALLED, PROGRAM, *arguments(certificates))
    assert (ran.stdout, ran.stderr) == (SUCCESS, "")


def test_it_runs_without_an_environment(certificates: Any) -> None:
    start = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_path(sys.argv.pop(1))"
    ran = run(sys.executable, "-c", start, INSTALLED, PROGRAM, *arguments(certificates))
    assert (ran.stdout, ran.stderr) == (SUCCESS, "")


def test_it_writes_nothing(certificates: Any) -> None:
    ran = run(sys.executable, "-c", WATCHED, PROGRAM, *arguments(certificates), **usual())
    assert (ran.stdout, ran.stderr) == (f"{SUCCESS}[]\n", "")


def test_an_archive_says_that_it_must_be_unpacked(tmp_path: Path) -> None:
    folder, archive = tmp_path / "folder", tmp_path / "program.pyz"
    shutil.copytree(INSTALLED / "wiretight", folder / "wiretight", ignore=shutil.ignore_patterns("__pycache__", "_cli"))
    (folder / "__main__.py").write_text("import wiretight\n")
    zipapp.create_archive(folder, archive)
    ran = run(sys.executable, "-I", "-S", archive)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        f"ImportError: wiretight cannot be imported from the archive {archive}, because no system loads a native "
        "library from one: install it outside of the archive, or make one that unpacks itself, as shiv and pex do"
    )
