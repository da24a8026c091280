"""CONTRIBUTING.md is true: its first change works, and every file that it mentions exists.

So is the list of rooms in tests/README.md.
"""

from __future__ import annotations

import re
import shlex

import pytest

from tests.repo.source import PACKAGE, ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = {part.splitlines()[0]: part for part in TEXT.split("\n## ")}
FIRST = [line.strip() for line in PARTS["A first change in five minutes"].splitlines() if line.startswith("    ")]
EXAMPLE = PARTS["A worked example: a getter of the connection"]
STEPS = [path for path in re.findall(r"`((?:src|tests|docs)/[\w./]+)`", EXAMPLE) if "." in path]
TASKS = re.findall(r"^\| (.+) \| `(.+)` \|$", PARTS["Where would you change …"], re.MULTILINE)


def test_the_first_change_is_three_commands() -> None:
    set_up, change, run = map(shlex.split, FIRST)
    assert set_up[0] == run[0] == "scripts/test"
    assert set_up[1] == run[1]
    assert (ROOT / run[1]).is_file()
    assert f"{run[run.index('-k') + 1]}" in (ROOT / run[1]).read_text()
    assert change[:2] == ["sed", "-i"]


def test_the_line_of_the_first_change_appears_once_in_each_file() -> None:
    _, _, expression, *files = shlex.split(FIRST[1])
    old = expression.split("/")[1]
    assert len(files) == 2
    for file in files:
        assert (ROOT / file).read_text().count(old) == 1, f"{file} has no line to change with {expression}"


def test_twenty_tasks_have_a_file_each() -> None:
    assert len(TASKS) == 20
    assert len({file for _, file in TASKS}) == 20


@pytest.mark.parametrize(("task", "file"), TASKS, ids=[file for _, file in TASKS])
def test_a_task_is_done_in_a_file_that_exists(task: str, file: str) -> None:
    assert (PACKAGE / file).is_file() or (ROOT / file).is_file(), f"to change {task}: {file} does not exist"


@pytest.mark.parametrize("step", STEPS)
def test_the_worked_example_names_files_that_exist(step: str) -> None:
    assert (ROOT / step).is_file()


def test_the_worked_example_follows_an_existing_getter() -> None:
    assert len(STEPS) >= 10
    unrelated = {"negotiated.pxd", "differences.md"}  # only some getters need these
    for step in STEPS:
        assert "compression" in (ROOT / step).read_text() or step.rpartition("/")[2] in unrelated, step


def test_the_tests_readme_lists_every_room_once() -> None:
    rooms = re.findall(r"^\| `(\w+)/` \| ", (ROOT / "tests" / "README.md").read_text(), re.MULTILINE)
    assert sorted(rooms) == sorted({path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")})
