"""A program that PyInstaller has frozen: wiretight's hook tells it of the native library, and of the files beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("program.py")


def test_a_frozen_program_has_all_of_wiretight(certificates: Any, tmp_path: Path) -> None:
    pytest.importorskip("PyInstaller", reason="PyInstaller cannot be installed for this Python")
    freezing = [sys.executable, "-m", "PyInstaller", "--onedir", "--clean", "--log-level", "WARN", "--name", "frozen"]
    places = [f"--{kind}path={tmp_path / kind}" for kind in ("dist", "work", "spec")]
    subprocess.run([*freezing, *places, PROGRAM], check=True, cwd=tmp_path, capture_output=True)

    frozen = tmp_path / "dist" / "frozen" / "frozen"
    ran = subprocess.run(
        [frozen, certificates.ca_file, *certificates.server], env={}, capture_output=True, text=True, check=False
    )

    assert (ran.stdout, ran.stderr) == ("TLSv1.3 1 UTC\n", "")
