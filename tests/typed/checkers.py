"""mypy and pyright, run on a folder of programs as their users run them: from outside of this repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
ADDITIONS = Path(__file__).parent / "additions"  # programs that use what `ssl` has not
IMPORT = "import ssl\n"


def is_for(program: Path, module: str, version: str) -> bool:
    """Whether this Python's `ssl` ever had what the program uses; it never had the additions."""
    number = tuple(map(int, version.split(".")))
    if program.stem.startswith("additions"):
        return module != "ssl"
    if program.stem == "older":
        return number < (3, 12)
    return program.stem != "newer" or module != "ssl" or number >= (3, 15)


def programs(into: Path, module: str, version: str) -> Path:
    """A copy of the programs, with `module` for their `ssl`; a second import of the standard one stays."""
    for program in (each for each in PROGRAMS.glob("*.py") if is_for(each, module, version)):
        text = program.read_text()
        assert f"\n{IMPORT}" in text, f"{program.name} has no line 'import ssl' to be exchanged"
        (into / program.name).write_text(
            text if module == "ssl" else text.replace(IMPORT, f"import {module} as ssl\n", 1)
        )
    return into


def additions(into: Path) -> Path:
    """A copy of the programs that use what `ssl` has not."""
    for program in ADDITIONS.glob("*.py"):
        (into / program.name).write_text(program.read_text())
    return into


def mypy(folder: Path, version: str) -> None:
    run(folder, "mypy", "--strict", "--config-file=", f"--python-version={version}", "--cache-dir=.cache", ".")


def pyright(folder: Path, version: str) -> None:
    run(folder, "pyright", f"--pythonversion={version}", ".")


def run(folder: Path, module: str, *arguments: str) -> str:
    """What the checker prints; an AssertionError with it where it finds an error."""
    # pyright looks for packages with the Python that it finds first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
