"""Faults: whatever system call or allocation fails, there is no crash, no hang and no wrong byte.

Each test runs faulty.py (system calls), starved.py (allocations of a connection), starved_window.py (of a read that
reads ahead), starved_loops.py (of what an event loop calls), starved_making.py (of everything else) or slow_ends.py
(threads that end slowly) with faults.c preloaded; what is guaranteed is asserted there.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import ssl as standard
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.aio.loops import uvloop
from tests.incidents.eventloops import UPGRADES, WAYS
from tests.incidents.making import CASES
from tests.incidents.references import reference

NO_OPENSSL = 77  # as in starved.py
HERE = Path(__file__).parent
ROOT = HERE.parent.parent

pytestmark = [
    reference("RFC 8446, 6"),
    pytest.mark.skipif(sys.platform != "linux", reason="faults are put under the core by the dynamic linker of Linux"),
    pytest.mark.skipif("SANITIZERS" in os.environ, reason="the sanitizers have allocators of their own"),
    pytest.mark.timeout(7200),
]

Faulty = Callable[..., dict[str, int]]

sides = pytest.mark.parametrize("side", ["client", "server"])
transports = pytest.mark.parametrize("transport", ["tcp", "unix"])
ways = pytest.mark.parametrize("way", ["blocking", "timeout", "non-blocking", "bio"])


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    built = tmp_path_factory.mktemp("faults") / "faults.so"
    options = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", built, HERE / "faults.c", "-ldl"], check=True)
    return built


@pytest.fixture
def run(library: Path, record_property: Callable[[str, object], None]) -> Faulty:
    """Runs one of the programs; how often each outcome came."""

    def outcomes(program: str, *arguments: object) -> dict[str, int]:
        place = Path(importlib.util.find_spec("wiretight").origin).parent.parent
        answer = subprocess.run(
            [sys.executable, HERE / program, *map(str, arguments)],
            env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": f"{ROOT}:{place}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.returncode == NO_OPENSSL:
            pytest.skip("this OpenSSL is inside the core, and its allocations are the core's")
        assert answer.returncode == 0, f"status {answer.returncode}\n{answer.stdout}\n{answer.stderr[-4000:]}"
        found = json.loads(answer.stdout)
        record_property("rounds", sum(found.values()))
        record_property("outcomes", found)
        return found

    return outcomes


@pytest.fixture
def faulty(run: Faulty, certificates: Any, version: Any) -> Faulty:
    def outcomes(kind: str, side: str, transport: str, *numbers: object) -> dict[str, int]:
        name = standard.TLSVersion(version).name
        return run("faulty.py", kind, certificates.folder, name, side, transport, *numbers)

    return outcomes


@pytest.fixture
def starved(run: Faulty, certificates: Any, version: Any) -> Faulty:
    def outcomes(kind: str, side: str, way: str, limit: int, trust: str = "trusted") -> dict[str, int]:
        name = standard.TLSVersion(version).name
        return run("starved.py", kind, certificates.folder, name, side, way, trust, limit)

    return outcomes


# --- System calls -----------------------------------------------------------------------------------------------------


@sides
@transports
@reference("SSL_write(3)")
def test_one_byte_per_system_call_changes_nothing(faulty, side, transport):
    assert set(faulty("calls", side, transport, 1, 0, 0, 1)) == {"completed"}


@sides
@transports
@reference("python/cpython#76456")
def test_a_signal_in_half_of_all_system_calls_changes_nothing(faulty, side, transport, rounds):
    assert set(faulty("calls", side, transport, 0, 128, 0, rounds(5, 1000))) == {"completed"}


@sides
@transports
def test_spurious_eagain_changes_nothing(faulty, side, transport, rounds):
    assert set(faulty("calls", side, transport, 0, 32, 160, rounds(5, 1000))) == {"completed"}


@sides
@pytest.mark.parametrize("how", ["fin", "rst"])
@reference("RFC 8446, 6.1")
def test_an_end_before_any_system_call_is_never_clean(faulty, side, how, rounds):
    outcomes = faulty("cut", side, "tcp", how, rounds(100, 10**6))
    assert set(outcomes) <= {"completed", "SSLEOFError", "ConnectionResetError", "BrokenPipeError", "SSLError"}


# --- Allocations ------------------------------------------------------------------------------------------------------


@sides
@ways
@reference("openssl/openssl#2369")
def test_each_allocation_of_the_core_may_fail(starved, side, way, rounds):
    assert starved("core", side, way, rounds(500, 10**6))


@sides
@ways
@reference("openssl/openssl#28078", "python/cpython#144833")
def test_each_allocation_of_openssl_may_fail(starved, side, way, rounds):
    assert starved("openssl", side, way, rounds(150, 10**6))


@sides
@pytest.mark.parametrize("kind", ["core", "openssl"])
@reference("openssl/openssl#28078", "RFC 8446, 4.4.2.4")
def test_no_failed_allocation_makes_a_peer_trusted(starved, kind, side, rounds):
    assert starved(kind, side, "non-blocking", rounds(150, 10**6), "untrusted")["SSLCertVerificationError"]


@sides
@ways
@reference("python/cpython#21009")
def test_each_allocation_of_the_interpreter_may_fail(starved, side, way):
    assert starved("python", side, way, 10**6)


@pytest.mark.parametrize("kind", ["core", "openssl", "python"])
@pytest.mark.parametrize("case", CASES)
@reference("python/cpython#21009", "openssl/openssl#28078")
def test_each_allocation_of_a_constructor_or_getter_may_fail(run, certificates, kind, case):
    run("starved_making.py", kind, certificates.folder, case)


def test_each_allocation_of_a_read_that_reads_ahead_may_fail(run, tmp_path, version):
    assert run("starved_window.py", tmp_path, version.name)["completed"]


@pytest.mark.parametrize("way", [*WAYS, *UPGRADES], ids=str)
@reference("python/cpython#21009")
def test_each_allocation_of_what_a_loop_calls_may_fail(run, tmp_path, way):
    if way.loop == "uvloop" and uvloop is None:
        pytest.skip("uvloop is not installed: it has no release for this Python")
    assert run("starved_loops.py", way, tmp_path)["ended"]


# --- A thread's end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", ["handshake", "connection", "context", "error", "random"])
@reference("openssl/openssl#19066")
def test_a_fork_while_a_thread_that_used_openssl_is_ending(run, tmp_path, use):
    assert run("slow_ends.py", tmp_path, use)["completed"]
