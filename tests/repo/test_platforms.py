"""scripts/platforms has a name for each platform."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repo.source import ROOT


@pytest.mark.parametrize("option", ["--missing", "--json"])
def test_an_unknown_platform_is_refused_with_the_known_ones(option: str) -> None:
    command = [sys.executable, ROOT / "tools/platforms.py", option, "amiga"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "no such platform: amiga; there are arm64, s390x, " in done.stderr
    assert done.stdout == ""
