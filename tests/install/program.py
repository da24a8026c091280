"""Runs a small program in a process of its own, because install() changes the whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import wiretight
from tests.kit.threads import PATIENCE

Result = subprocess.CompletedProcess[str]


def python(*arguments: object, folder: Path | None = None, **options: str) -> Result:
    """Runs this interpreter with these arguments in `folder`, from which it imports modules."""
    package = str(Path(wiretight.__file__).parents[1])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": package, "NO_COLOR": "1", "PYTHON_COLORS": "0", **options},
    )


def succeeds(code: str, *arguments: object, folder: Path | None = None) -> str:
    """Runs a program that must not fail, with every warning an error; returns what it printed."""
    done = python("-W", "error", "-c", textwrap.dedent(code), *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout
