"""Where wiretight cannot be built, the build says so in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.repo.source import ROOT

# Neither is told first that there is no compiler.
WINDOWS = """\
[binaries]
c = '/nonexistent/compiler'
cython = '/nonexistent/cython'

[host_machine]
system = 'windows'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
"""
# This Python, but for its name.
NAMED = """\
#!/bin/sh
PYTHONPATH='{folder}' exec '{python}' "$@"
"""


def refusal(tmp_path: Path, *options: str) -> str:
    """What a build says that ends before it begins."""
    command = [sys.executable, "-m", "mesonbuild.mesonmain", "setup", *options, tmp_path / "build", ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    [said] = [line for line in done.stdout.splitlines() if "ERROR" in line]
    return said.partition("Problem encountered: ")[2]


def test_a_build_for_windows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "windows.ini").write_text(WINDOWS)

    said = refusal(tmp_path, f"--cross-file={tmp_path / 'windows.ini'}")

    assert said.startswith("wiretight does not run on Windows yet: use ")


def test_a_build_on_pypy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\n\nsys.implementation.name = 'pypy'\n")
    python = tmp_path / "python"
    python.write_text(NAMED.format(folder=tmp_path, python=sys.executable))
    python.chmod(0o755)
    (tmp_path / "pypy.ini").write_text(f"[binaries]\npython = '{python}'\nc = '/nonexistent/compiler'\n")

    said = refusal(tmp_path, f"--native-file={tmp_path / 'pypy.ini'}")

    assert said.startswith("wiretight needs CPython, and this Python is pypy: use ")
