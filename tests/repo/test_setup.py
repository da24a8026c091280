"""What the scripts print while they set up, and if they fail to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.source import ROOT

SETUP = ROOT / "scripts" / "lib" / "setup.sh"


def bash(code: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code that has the functions of setup.sh, and a log."""
    return subprocess.run(
        ["bash", "-c", f"source {SETUP}; log={tmp_path}/log; : >$log; {code}", "script"],
        env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file())


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_explains_itself_and_sets_up_nothing(script: str, option: str, tmp_path: Path) -> None:
    for command in ("bash", "dirname", "sed"):
        found = shutil.which(command)
        assert found is not None
        (tmp_path / command).symlink_to(found)
    done = subprocess.run(
        [ROOT / "scripts" / script, option], env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    usage, *rest = done.stdout.splitlines()
    assert usage.startswith(f"scripts/{script}")
    assert rest
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("script", ["demo", "test", "check"])
def test_a_missing_python_is_reported_in_one_line(script: str, tmp_path: Path) -> None:
    for command in ("bash", "dirname"):
        found = shutil.which(command)
        assert found is not None
        (tmp_path / command).symlink_to(found)
    done = subprocess.run(
        [ROOT / "scripts" / script], env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith(f"{script}: no Python 3.10 or newer found; ")
    assert done.stderr.count("\n") == 1


def test_an_unreachable_package_index_is_reported_in_one_sentence(tmp_path: Path) -> None:
    install = f"{sys.executable} -m pip install --retries 1 --index-url http://127.0.0.1:1/ no-such-package"
    done = bash(f"run dependencies {install}", tmp_path, PIP_CONFIG_FILE="/dev/null", PIP_EXTRA_INDEX_URL="")

    assert done.returncode == 1
    assert "the package index that pip asks cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 2, done.stderr


def test_any_other_failure_shows_its_output(tmp_path: Path) -> None:
    done = bash("fails() { echo the reason; return 3; }; run building fails", tmp_path)

    assert done.returncode == 1
    assert "the reason\n" in done.stderr
    assert "cannot be reached" not in done.stderr


def test_a_slow_build_shows_its_progress(tmp_path: Path) -> None:
    """The command ends when it has seen one."""
    said = tmp_path / "said"
    command = f"echo '[7/56] Compiling'; until grep -q ' s, .7/56. ' {said}; do read -rt 0.05 <> <(:) || :; done"
    done = bash(f"patience=0.1; builds() {{ {command}; }}; run building builds 2>{said}", tmp_path)

    assert done.returncode == 0
    assert re.fullmatch(r"building (\.\.\. \d+ s, \[7/56\] )+\.\.\. done \(\d+ s\)\n", said.read_text())


def needs(arguments: str, tmp_path: Path, *, bare: str = "") -> tuple[set[str], set[str]]:
    """The commands and the dependency groups that these arguments of scripts/test need."""
    code = f"source scripts/lib/needs.sh; bare={bare} commands=() groups=(test); need_selection {arguments}; "
    done = bash(code + 'echo "${commands[@]}"; echo "${groups[@]}"', tmp_path)
    assert done.returncode == 0, done.stderr
    commands, groups = done.stdout.splitlines()
    return set(commands.split()), set(groups.split())


@pytest.mark.parametrize(
    "selection",
    [
        "tests/core",
        "./tests/core/",
        f"{ROOT}/tests/core",
        "tests/core/test_wire.py::test_a",
        "-x tests/aio -k wire",
        "--ignore tests/ecosystem tests/core",
    ],
)
def test_a_test_of_the_core_needs_a_compiler_and_the_group_test(selection: str, tmp_path: Path) -> None:
    assert needs(selection, tmp_path) == (set(), {"test"})


def test_a_room_needs_what_its_tests_use(tmp_path: Path) -> None:
    assert needs("tests/core tests/face/test_names.py", tmp_path) == ({"openssl"}, {"test"})
    assert needs("tests/cli", tmp_path) == ({"curl", "openssl"}, {"test", "ecosystem"})
    assert needs("tests/ecosystem", tmp_path)[0] >= {"redis-server"}


@pytest.mark.parametrize("everything", ["", "tests", ".", "-x", "-k relay", "--ignore tests/core", "tests/core tests"])
def test_all_tests_need_everything(everything: str, tmp_path: Path) -> None:
    commands, groups = needs(everything, tmp_path)
    assert commands >= {"curl", "openssl", "make", "testsuite", "redis-server"}
    assert groups == {"test", "ecosystem", "frozen"}


def test_bare_needs_no_library_and_no_server(tmp_path: Path) -> None:
    commands = {"curl", "openssl", "gnutls-cli", "strace", "make", "testsuite"}
    assert needs("", tmp_path, bare="yes") == (commands, {"test"})


@pytest.mark.parametrize(("bare", "apart"), [("", "scanner\n"), ("yes", "\n")])
def test_a_program_with_packages_of_its_own_is_installed_apart(bare: str, apart: str, tmp_path: Path) -> None:
    code = f"source scripts/lib/needs.sh; bare={bare} commands=() groups=(); need_selection tests/interop; "
    assert bash(code + 'echo "${apart[*]}"', tmp_path).stdout == apart


def test_a_check_that_does_not_exist_is_named() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "check", "ruf"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    names = "ruff format mypy cython-lint workflows rules types docs"
    assert done.stderr == f"check: no such check: ruf; they are {names}\n"
