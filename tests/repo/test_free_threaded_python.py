"""The builder of a free-threaded CPython: what it does before it builds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.repo.source import ROOT

BUILDER = ROOT / "tools" / "free_threaded_python.py"


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The builder with an empty cache."""
    return subprocess.run(
        [sys.executable, BUILDER, *arguments], env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_missing_build_is_skipped_silently(tmp_path: Path) -> None:
    done = run(tmp_path, "--found")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unknown_version_is_rejected(tmp_path: Path) -> None:
    refused = run(tmp_path, "3.12")

    assert refused.returncode == 2
    assert "3.13" in refused.stderr
    assert "3.14" in refused.stderr
