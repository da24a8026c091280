"""Programs written for the standard `ssl` mean the same to a type checker when they import wiretight in its place.

The programs use `assert_type`, which an Any does not pass, and `type: ignore` where a checker has to refuse something,
which it reports when it is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.typed.checkers import additions, mypy, programs, pyright

pytest.importorskip("mypy", reason="scripts/check runs these: it installs the type checkers")

SUBJECTS = [(module, version) for module in ("ssl", "wiretight") for version in ("3.10", "3.15")]


@pytest.mark.parametrize("check", [mypy, pyright], ids=["mypy", "pyright"])
@pytest.mark.parametrize(("module", "version"), SUBJECTS, ids=[" on ".join(each) for each in SUBJECTS])
def test_programs_for_the_standard_ssl_pass(
    check: Callable[[Path, str], None], module: str, version: str, tmp_path: Path
) -> None:
    check(programs(tmp_path, module, version), version)


@pytest.mark.parametrize("check", [mypy, pyright], ids=["mypy", "pyright"])
@pytest.mark.parametrize("version", ["3.10", "3.15"])
def test_programs_for_what_ssl_has_not_pass(check: Callable[[Path, str], None], version: str, tmp_path: Path) -> None:
    check(additions(tmp_path), version)


@pytest.mark.parametrize("check", [mypy, pyright], ids=["mypy", "pyright"])
def test_a_checker_knows_what_wiretight_does_not_have(check: Callable[[Path, str], None], tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import wiretight as ssl\n\nssl.create_default_context().wrap_sock()\n")
    with pytest.raises(AssertionError, match="wrap_sock"):
        check(tmp_path, "3.12")
