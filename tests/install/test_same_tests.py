"""After install(), `ssl` passes the tests that `import wiretight as ssl` passes: those of what programs do to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    "core/test_server_names.py",
    "core/test_virtual_hosts.py",
    "face/test_closing.py",
    "face/test_drop_in.py",
    "face/test_keylog.py",
    "face/test_names.py",
    "face/test_overrides.py",
    "face/test_pem_files.py",
    "face/test_relations.py",
    "face/test_replaced_globals.py",
    "face/test_settings.py",
    "face/test_wrapping.py",
    "incidents/test_resets.py",
]


@pytest.mark.parametrize("file", FILES)
def test_they_pass_after_install(file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", ROOT / "tests" / file],
        cwd=ROOT,
        env={**os.environ, "WIRETIGHT_TEST_SUBJECT": "installed"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "subject: installed" in done.stdout
    assert done.returncode == 0, done.stdout[-4000:]
