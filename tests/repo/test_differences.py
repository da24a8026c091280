"""docs/differences.md has an entry, found by a search, for every difference that the tests with `ssl` allow.

docs/drop-in.md counts what the tests of CPython let pass.
"""

from __future__ import annotations

import re

import pytest

from tests.compat.exceptions import DATED, allowed
from tests.compat.exceptions import EXCEPTIONS as COMPAT
from tests.differential.exceptions import EVERYWHERE as DIFFERENTIAL
from tests.repo.source import ROOT

PAGE = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
TITLES = re.findall(r"^- \*\*(.+?)\*\*: ", PAGE, re.MULTILINE)
ENTRIES = [title.replace("`", "") for title in TITLES]

# Entries that no name of the interface stands for. Every other one begins with the name that its reader searches for.
WITHOUT_A_NAME = {"Out of memory", "Subinterpreters"}


@pytest.mark.parametrize("entry", sorted({exception.entry for exception in (*COMPAT, *DATED, *DIFFERENTIAL)}))
def test_every_tested_difference_is_documented(entry: str) -> None:
    assert entry in ENTRIES


def test_an_entry_appears_once_and_is_not_empty() -> None:
    assert len(ENTRIES) == len(set(ENTRIES)) == PAGE.count("\n- ")
    for text in re.split(r"\n(?=- |\n)", PAGE[PAGE.index("\n- ") :]):
        assert not text.startswith("- ") or len(text.split()) > 5


def test_an_entry_begins_with_a_name_of_the_interface() -> None:
    assert {title for title in TITLES if not re.match(r"`[^`]+`", title)} == WITHOUT_A_NAME


def test_the_exceptions_of_each_python_are_counted() -> None:
    table = re.findall(r"^\| 3\.(\d+) \| (\d+) \| (\d+) \|$", (ROOT / "docs" / "drop-in.md").read_text(), re.MULTILINE)
    counted = {int(minor): (int(with_3), int(with_4)) for minor, with_3, with_4 in table}
    assert counted == {
        minor: (len(allowed((3, minor), (3, 0))), len(allowed((3, minor), (4, 0)))) for minor in range(10, 16)
    }
