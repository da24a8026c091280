"""docs/reliability.md is written by tools/reliability.py, section by section."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.repo.source import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
RESULT = {"target": "suites", "suite": "a library 1.0", "with `ssl`": "3 passed", "after `install()`": "each the same"}


def written(*results: Path) -> str:
    command = [sys.executable, ROOT / "tools/reliability.py", *results]
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


def test_a_section_without_new_results_stays_as_it_is() -> None:
    assert written() == PAGE


def test_a_section_with_new_results_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "results").write_text(json.dumps(RESULT) + "\n")
    page = written(tmp_path / "results")
    assert "\n| a library 1.0 | 3 passed | each the same |\n" in page
    before, after = ({part.partition("\n")[0]: part for part in text.split("\n## ")} for text in (PAGE, page))
    assert before.keys() <= after.keys()
    assert [title for title in before if before[title].strip() != after[title].strip()] == ["Other projects' suites"]
