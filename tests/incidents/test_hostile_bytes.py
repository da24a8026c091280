"""Hostile bytes: whatever a peer sends ends in an SSLError or in waiting, not in a crash, a hang or growth.

The inputs and what is asserted of each are in fuzz/; `scripts/fuzz --count` tries more of them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.incidents.references import reference
from tests.kit.memory import COUNTING

ROOT = Path(__file__).parents[2]

pytestmark = [
    reference("RFC 8446, 6.2"),
    pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer measures memory as Linux shows it"),
    pytest.mark.timeout(7200),
]


@pytest.mark.parametrize(
    ("target", "full"),
    [
        pytest.param("handshake", 1_000_000, marks=reference("CVE-2021-3449")),
        pytest.param("record", 1_000_000, marks=reference("RFC 8446, 5.2")),
        pytest.param("certificate", 200_000, marks=reference("CVE-2019-5010")),
        pytest.param("credential", 200_000, marks=reference("CVE-2024-0727")),
        pytest.param("hello", 1_000_000, marks=reference("CVE-2021-3449")),
        pytest.param("calls", 200_000, marks=reference("python/cpython#151508")),
    ],
)
def test_mutated_inputs_are_rejected_or_time_out(
    target: str, full: int, rounds: Callable[[int, int], int], record_property: Callable[[str, object], None]
) -> None:
    package = importlib.util.find_spec("wiretight")
    assert package is not None
    assert package.origin is not None
    answer = subprocess.run(
        [sys.executable, "-m", "fuzz.run", target, "--count", str(rounds(2500, full))],
        cwd=ROOT, env={**os.environ, **COUNTING, "PYTHONPATH": f"{ROOT}:{Path(package.origin).parent.parent}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, f"status {answer.returncode}\n{answer.stderr[-4000:]}"
    record_property("outcomes", json.loads(answer.stdout)["outcomes"])
