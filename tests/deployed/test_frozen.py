"""A program that PyInstaller has frozen: wiretight's hook names the native library and the data files."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PyInstaller", reason="PyInstaller is not installed: pip install pyinstaller")

PROGRAM = Path(__file__).with_name("program.py")


@pytest.mark.timeout(900)  # PyInstaller computes for ten seconds, and has to share the machine
@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_ENABLE_SHARED"), reason="PyInstaller needs a Python with a shared library"
)
def test_a_frozen_program_has_all_of_wiretight(certificates: Any, tmp_path: Path) -> None:
    freezing = [sys.executable, "-m", "PyInstaller", "--onedir", "--clean", "--log-level", "WARN", "--name", "frozen"]
    places = [f"--{kind}path={tmp_path / kind}" for kind in ("dist", "work", "spec")]
    subprocess.run([*freezing, *places, PROGRAM], check=True, cwd=tmp_path, capture_output=True)

    frozen = tmp_path / "dist" / "frozen" / "frozen"
    ran = subprocess.run(
        [frozen, certificates.ca_file, *certificates.server], env={}, capture_output=True, text=True, check=False
    )

    assert (ran.stdout, ran.stderr) == ("TLSv1.3 1 UTC\n", "")
