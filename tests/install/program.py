"""Runs a small program in a process of its own: install() is for a whole program."""

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
    """This interpreter with these arguments, in `folder`; modules beside it are found there."""
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
    """Runs a program that asserts what it promises, every warning an error; returns what it printed."""
    done = python("-W", "error", "-c", textwrap.dedent(code), *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout
