"""scripts/platforms has a name for each platform, and a row for whatever becomes of it."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.source import ROOT

# platforms.py with other platforms, in a folder. What a test adds comes before main().
PROGRAM = """
import subprocess, sys
from pathlib import Path
sys.path.insert(0, {tools!r})
import dist, foreign, musl, platforms
from steps import Step
from builders import run
sys.argv[0] = "platforms.py"
platforms.PLATFORMS.clear()
works = lambda folder, arguments: iter([Step("build", arguments or "works", True)])
{stubs}
run(platforms.main)
"""


def tried(stubs: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What scripts/platforms prints with these stubs."""
    program = PROGRAM.format(tools=str(ROOT / "tools"), stubs=stubs)
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


def rows(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str, str]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [(row["platform"], row["what"], row["outcome"]) for row in found]


@pytest.mark.parametrize("option", ["--missing", "--json"])
def test_an_unknown_platform_is_refused_with_the_known_ones(option: str) -> None:
    command = [sys.executable, ROOT / "tools/platforms.py", option, "amiga"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "no such platform: amiga; there are arm64, s390x, " in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("failing", "outcome"),
    [
        ("subprocess.run(['git', 'clone', '/nowhere', folder / 'clone'], stderr=-3, check=True)", "FAILED: Command"),
        ("(folder / 'none').read_text()", "FAILED: [Errno 2]"),
        ("sys.exit('the compiler is missing')", "FAILED"),
    ],
)
def test_a_platform_that_cannot_be_prepared_is_a_row_and_the_next_is_tried(
    failing: str, outcome: str, tmp_path: Path
) -> None:
    stubs = f"""
def fails(folder, arguments):
    (folder / "root").mkdir()
    {failing}
    yield
platforms.PLATFORMS.update(first=fails, second=works)
"""
    done = tried(stubs, "--json", "--folder", tmp_path)
    (name, what, found), second = rows(done)

    assert (name, what) == ("first", "set-up")
    assert found.startswith(outcome)
    assert second == ("second", "build", "works")
    assert done.returncode == 1
    assert not (tmp_path / "first/root").exists()


def test_what_could_not_be_tried_is_no_success(tmp_path: Path) -> None:
    stubs = 'platforms.PLATFORMS.update(a=lambda *_: iter([Step("debootstrap", "no answer", None)]), b=works)'

    assert tried(stubs, "--folder", tmp_path).returncode == 77
    assert tried(stubs, "--folder", tmp_path, "b").returncode == 0


def test_two_runs_do_not_share_a_system(tmp_path: Path) -> None:
    (tmp_path / "a/root").mkdir(parents=True)
    with (tmp_path / "a/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = tried("platforms.PLATFORMS.update(a=works)", "--json", "--folder", tmp_path)

    assert rows(done) == [("a", "set-up", f"FAILED: another run is at work in {tmp_path}/a")]
    assert (tmp_path / "a/root").exists()


def test_arguments_of_pytest_keep_their_spaces(tmp_path: Path) -> None:
    done = tried("platforms.PLATFORMS.update(a=works)", "--json", "--folder", tmp_path, "--", "-k", "a or b")

    assert rows(done) == [("a", "build", "-k 'a or b'")]


def test_a_build_that_fails_is_not_a_source_out_of_reach(tmp_path: Path) -> None:
    stubs = """
platforms.PLATFORMS["3.14t"] = platforms.free_threaded
subprocess.run = lambda command, **_: subprocess.CompletedProcess(command, {status}, b"")
"""
    assert rows(tried(stubs.format(status=1), "--json", "--folder", tmp_path)) == [("3.14t", "build", "FAILED")]
    done = tried(stubs.format(status=77), "--json", "--folder", tmp_path)
    assert rows(done) == [("3.14t", "build", "no source of Python in reach")]


class TestDist:
    """--dist, with a machine that does what it is told to."""

    STUBS = """
from machines import Machine, Row, SYSTEMS
platforms.DIST = Path({folder!r}, "dist")
class There(Machine):
    def connect(self):
        (self.root / "root/wiretight").mkdir(parents=True)
    def rows_of_dist(self, *_):
        left = ", ".join(path.name for path in (self.root / "root/wiretight").iterdir())
        yield Row("Debian", "root", "install", "works" + left, 1, True)
foreign.there = lambda processor, folder: There(SYSTEMS["debian-13"], folder)
foreign.wheel_for = lambda *_: Path("wheel")
foreign.fetched = lambda *_: {status}
"""

    def tried(self, folder: Path, status: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        (folder / "dist").mkdir(exist_ok=True)
        (folder / "dist/wiretight-1.0.tar.gz").write_bytes(b"source")
        stubs = self.STUBS.format(folder=str(folder), status=status)
        return tried(stubs, "--dist", "arm64", "--folder", folder, *arguments)

    def test_json_is_all_that_it_prints(self, tmp_path: Path) -> None:
        done = self.tried(tmp_path, 0, "--json")

        assert rows(done) == [("arm64", "wheel", "works"), ("arm64", "install", "works")]
        assert "wiretight-1.0.tar.gz" in (tmp_path / "dist/README.md").read_text()
        assert "# What is in this folder" in self.tried(tmp_path, 0).stdout

    def test_a_fetch_that_fails_is_a_failure(self, tmp_path: Path) -> None:
        done = self.tried(tmp_path, 1, "--json")

        assert rows(done) == [("arm64", "wheel", "works"), ("arm64", "fetch", "FAILED (status 1)")]
        assert done.returncode == 1

    def test_what_an_earlier_run_has_installed_is_not_tried_again(self, tmp_path: Path) -> None:
        tmp_path.joinpath("arm64", "root", "root", "wiretight", "env").mkdir(parents=True)

        assert rows(self.tried(tmp_path, 0, "--json", "--keep"))[1] == ("arm64", "install", "works")

    def test_it_runs_no_tests(self, tmp_path: Path) -> None:
        assert "--dist runs no tests" in self.tried(tmp_path, 0, "--", "-k", "x").stderr


@pytest.mark.parametrize(("codename", "name"), [("trixie", "Debian 13"), ("forky", "Debian testing")])
def test_a_system_that_was_kept_is_called_what_it_is(codename: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/debian_version").touch()
    (tmp_path / "root/etc/os-release").write_text(f"VERSION_CODENAME={codename}\n")
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import foreign, pathlib\n"
        "foreign.is_started = lambda _: True\n"
        f"print(foreign.there(foreign.PROCESSORS['arm64'], pathlib.Path({str(tmp_path)!r})).system.name)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{name}\n"


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    stubs = "platforms.PLATFORMS.update({str(number): works for number in range(9)})"
    program = PROGRAM.format(tools=str(ROOT / "tools"), stubs=stubs)
    with subprocess.Popen(
        [sys.executable, "-c", program, "--folder", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
