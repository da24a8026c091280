"""The stubs say what the built package has, and every public name has a type."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import wiretight
from tests.typed.checkers import mypy, run

pytest.importorskip("mypy", reason="scripts/check runs these: it installs the type checkers")

ALLOWED = Path(__file__).parent / "stubtest-allowlist.txt"


def test_the_stubs_are_those_of_the_built_package(tmp_path: Path) -> None:
    # Only beside PyInstaller can its hook be imported.
    hook = "" if importlib.util.find_spec("PyInstaller") else r"wiretight\._pyinstaller\.hook-wiretight"
    (tmp_path / "hook.txt").write_text(hook)
    run(tmp_path, "mypy.stubtest", "wiretight", "--concise", f"--allowlist={ALLOWED}", "--allowlist=hook.txt")


def test_every_public_name_and_all_that_it_refers_to_has_a_type(tmp_path: Path) -> None:
    report = json.loads(run(tmp_path, "pyright", "--verifytypes", "wiretight", "--ignoreexternal", "--outputjson"))
    assert report["typeCompleteness"]["completenessScore"] == 1
    assert report["typeCompleteness"]["exportedSymbolCounts"]["withKnownType"] > 120


def test_a_constant_has_the_type_for_checkers_that_it_has_at_run_time(tmp_path: Path) -> None:
    program = ["import ssl", "import wiretight", "from typing_extensions import assert_type"]
    for name in wiretight.__all__:
        kind = type(getattr(wiretight, name))
        if kind.__module__ == "ssl":
            program.append(f"assert_type(wiretight.{name}, ssl.{kind.__name__})")
        elif kind in (bool, int, str):
            program.append(f"assert_type(wiretight.{name}, {kind.__name__})")
    assert len(program) > 90
    (tmp_path / "program.py").write_text("\n".join(program))
    mypy(tmp_path, "3.12")
