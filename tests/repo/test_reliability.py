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


def test_runs_that_say_other_things_have_tables_of_their_own(tmp_path: Path) -> None:
    runs = [
        {"target": "soak", "minutes": 25.0, "connections": 63750},
        {"target": "soak: pairs", "minutes": 1.0, "lock checks": True, "said": {"data": 1200, "end": 3}},
        {"target": "soak", "minutes": 5.0, "connections": 1000},
    ]
    (tmp_path / "results").write_text("".join(json.dumps(run) + "\n" for run in runs))
    page = written(tmp_path / "results")

    assert "\n| minutes | connections |\n| --- | --- |\n| 25.0 | 63,750 |\n| 5.0 | 1,000 |\n\n`soak: pairs`:\n" in page
    assert "\n| minutes | lock checks | said |\n| --- | --- | --- |\n| 1.0 | yes | data: 1,200, end: 3 |\n" in page


def test_what_cannot_be_read_as_results_is_said_in_one_sentence(tmp_path: Path) -> None:
    texts = {
        "missing": None,
        "cut.json": '{"target": "soak", "min',
        "tests.xml": "<testsuites><testsuite>",
        "bytes": "\xff",
    }
    for name, text in texts.items():
        if text is not None:
            (tmp_path / name).write_text(text, encoding="latin-1")
        command = [sys.executable, ROOT / "tools/reliability.py", tmp_path / name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"reliability.py: {tmp_path / name} cannot be read as results: ")
        assert done.stderr.count("\n") == 1
