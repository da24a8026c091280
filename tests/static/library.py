"""The shared library of the installed wiretight, as binutils sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.kit.programs import program
from wiretight import _core

LIBRARY = next(Path(_core.__file__).parent.glob("_native*.so"))


def output_of(command: str, *arguments: str | Path) -> list[str]:
    done = subprocess.run([program(command, "binutils"), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def symbols(which: str) -> list[str]:
    return [line.split()[-1].partition("@")[0] for line in output_of("nm", "-D", which, LIBRARY)]
