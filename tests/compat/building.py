"""Builds wiretight for an interpreter that has no environment to install it into, only its headers.

By hand: `python -m tests.compat.building INTERPRETER FOLDER [meson's options]`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.repo.source import ROOT

ASK = "import sysconfig as s; print(s.get_path('include'))"


def built_for(command: str, folder: Path, *options: str) -> Path:
    """The folder from which this interpreter can import wiretight, built with the tools of the running one."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = folder / "native.ini"
    machine.write_text(f"[binaries]\npython = '{command}'\n", encoding="utf-8")
    headers = _output([command, "-c", ASK]).strip()
    # The headers of an interpreter that was unpacked somewhere include each other by the path they have in a system.
    # This is not for CFLAGS, which an OpenSSL that is built along would take, too.
    setup = ["meson", "setup", "-Doptimization=1", f"-Dc_args=-idirafter {Path(headers).parent}", *options]
    _output([*setup, "--native-file", str(machine), str(folder / "build"), str(ROOT)])
    _output(["meson", "install", "-C", str(folder / "build"), "--destdir", str(folder / "root")])
    return next((folder / "root").rglob("wiretight/__init__.py")).parents[1]


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


if __name__ == "__main__":
    print(built_for(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
