"""`python -m wiretight doctor` names what install() does not reach."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.install.program import python

DOCTOR = ("-m", "wiretight", "doctor")


def test_without_modules_nothing_is_left_over() -> None:
    done = python(*DOCTOR)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing")


def test_it_lists_the_references_that_a_module_keeps(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("import ssl\nclass Context(ssl.SSLContext): pass\n")
    done = python(*DOCTOR, "asyncio", "library", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    heading, row = done.stdout.splitlines()
    assert heading.split("  ")[0] == "where"
    assert row.split() == ["library.Context", "ssl.SSLContext", "base", "class"]


def test_json_has_the_same(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("import ssl\nREADY = ssl.create_default_context()\n")
    done = python(*DOCTOR, "--json", "library", folder=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout) == [
        {"where": "library.READY", "refers_to": "a context that the standard ssl made", "kind": "global"}
    ]


def test_a_module_that_cannot_be_imported_is_named() -> None:
    done = python(*DOCTOR, "no_such_module")
    assert done.returncode == 1
    assert done.stderr.startswith("wiretight: no_such_module cannot be imported: ModuleNotFoundError")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
        ("raise SystemExit('it needs more')\n", "SystemExit: it needs more"),
        ("class Skipped(BaseException): pass\nraise Skipped('not here')\n", "Skipped: not here"),
    ],
)
def test_a_module_whose_import_raises_or_exits_is_named(tmp_path: Path, source: str, told: str) -> None:
    (tmp_path / "library.py").write_text(source)
    done = python(*DOCTOR, "library", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"wiretight: library cannot be imported: {told}\n"


def test_a_module_that_patches_ssl_is_reported_as_imported_too_early(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("import ssl\nssl.create_default_context = lambda: None\n")
    done = python(*DOCTOR, "library", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("wiretight: the program has replaced ssl.create_default_context,")
    assert done.stderr.count("\n") == 1


def test_what_a_module_prints_is_lost_where_stderr_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("print('hello' * 10_000, flush=True)\n")
    command = [sys.executable, *DOCTOR, "--json", "library"]
    with Path("/dev/full").open("w", encoding="ascii") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
