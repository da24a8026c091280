"""scripts/wheel as a whole, with a Python that builds and tests nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.source import ROOT

SETUP = """
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
say() { printf '%s\\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }
run() { shift; "$@" || die "$1 failed"; }
find_python() { found=python3; }
every_python() { echo python3; }
ask_version='import sys; v = sys.version_info; t = ""; '
prepare() { python=$root/python tag=3.11 options=(); }
need_system() { :; }
environment() { mkdir -p "$2/bin" && cp python "$2/bin/python"; }
"""
PYTHON = """#!/bin/bash
case "$*" in
  *'-m build'*) echo source >"${*: -2:1}/wiretight-1.0.tar.gz" ;;
  *'pip wheel'*)
    while [ "$1" != --wheel-dir ]; do shift; done
    real_python -m zipfile -c "$2/wiretight-1.0-cp311-cp311-linux_x86_64.whl" python
    ;;
  *repair_wheel*) cp "$2" "$3" ;;
  *'-m pytest'*)
    shift 9
    printf '[%s]' "$@"
    printf '\\n3 passed\\n'
    [ ! -e "$FAILS" ]
    ;;
  *dist.py*) real_python "$@" ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository that has the script, and what it runs."""
    root = tmp_path / "a tree"
    for name in ("scripts/wheel", "tools/dist.py", "tools/builders.py", "tools/openssl-releases.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "scripts/lib").mkdir()
    (root / "scripts/lib/setup.sh").write_text(SETUP)
    (root / "python").write_text(PYTHON.replace("real_python", f"'{sys.executable}'"))
    (root / "python").chmod(0o755)
    who = ["-c", "user.name=x", "-c", "user.email=x"]
    for command in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", "-C", root, *command], check=True)
    return root


def wheel(tree: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    temporary = tree.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(
        [tree / "scripts/wheel", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env={**os.environ, "TMPDIR": str(temporary), "FAILS": "/none", **environment},
    )  # fmt: skip
    assert list(temporary.iterdir()) == []
    return done


def test_paths_are_those_of_the_tree_and_other_arguments_stay_what_they_are(tree: Path) -> None:
    done = wheel(tree, "tests/core", "-k", "a or b", "--ignore=tests/core/test_x.py")

    said = f"[{tree}/tests/core][-k][a or b][--ignore={tree}/tests/core/test_x.py]"
    assert done.stdout.splitlines()[:2] == [said, "3 passed"]
    assert done.returncode == 0, done.stderr
    assert "| tests/core -k a or b --ignore=tests/core/test_x.py | 3 passed |" in done.stdout


def test_a_test_that_fails_is_its_status(tree: Path) -> None:
    assert wheel(tree, FAILS=str(tree / "python")).returncode == 1


def test_two_runs_do_not_share_the_folder(tree: Path) -> None:
    (tree / ".venv").mkdir()
    with (tree / ".venv/wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = wheel(tree)

    assert (done.returncode, done.stderr) == (1, "wheel: another run is at work in dist/\n")
