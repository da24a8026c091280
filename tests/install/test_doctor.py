"""`python -m wiretight doctor`: it names what install() does not reach."""

from __future__ import annotations

import json
from pathlib import Path

from tests.install.program import python

DOCTOR = ("-m", "wiretight", "doctor")


def test_without_modules_nothing_is_out_of_reach() -> None:
    done = python(*DOCTOR)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing")


def test_it_lists_what_a_module_keeps(tmp_path: Path) -> None:
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
