"""Nothing grows with the number of connections."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.incidents.growing import KINDS
from tests.incidents.references import reference
from tests.kit.memory import COUNTED, COUNTING

ROOT = Path(__file__).parents[2]
PER_CONNECTION = 16  # bytes: less than the smallest thing that malloc() gives out, which is 24 with its header

pytestmark = [
    reference("python/cpython#74056"),
    pytest.mark.skipif(
        not COUNTED,
        reason="needs glibc 2.33 or newer, which tells what is allocated, and an interpreter with a GIL, which uses it",
    ),
    pytest.mark.skipif("SANITIZERS" in os.environ, reason="the sanitizers have allocators of their own"),
]
SOURCES = {
    "resumed": reference("python/cpython#116810"),
    "asked": reference("python/cpython#116810"),
    "new_contexts": reference("python/cpython#142516"),
    "threads": reference("curl/curl#964", "openssl/openssl#3033"),
}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=SOURCES.get(kind, [])) for kind in KINDS])
def test_a_connection_leaks_nothing(
    kind: str, version: Any, tmp_path: Path, rounds: Callable[[int, int], int], record_property: Callable[..., None]
) -> None:
    package = importlib.util.find_spec("wiretight")
    assert package is not None
    assert package.origin is not None
    answer = subprocess.run(
        [sys.executable, "-m", "tests.incidents.growing", kind, str(rounds(200, 5000)), tmp_path, version.name],
        env={**os.environ, **COUNTING, "PYTHONPATH": f"{ROOT}:{Path(package.origin).parent.parent}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    growth = float(answer.stdout)
    record_property("growth", growth)
    assert growth < PER_CONNECTION, f"{growth:.1f} bytes are left of each connection"
