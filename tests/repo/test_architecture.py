"""ARCHITECTURE.md is true: its rooms are the folders with their docstrings, and each step is an existing function."""

from __future__ import annotations

import ast
import re

import pytest

from tests.repo.source import PACKAGE, ROOT
from tests.repo.test_layers import LAYERS

TEXT = (ROOT / "ARCHITECTURE.md").read_text()
HOP = re.compile(r"^\d+\. `([\w/]+\.pyx?)(?:: (\w+))?`", re.MULTILINE)
LIVES = [part for part in TEXT.split("\n## ") if part.startswith("The life of")]


def test_the_table_of_rooms_matches_the_docstrings_of_the_folders() -> None:
    rows = dict(re.findall(r"^\| `([\w/]+)` \| (.+) \|$", TEXT, re.MULTILINE))
    folders = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
    folders = [folder for folder in folders if folder.relative_to(PACKAGE).parts[0] != "_cli"]
    for folder in folders:
        docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
        assert docstring
        assert rows.get(str(folder.relative_to(PACKAGE))) == docstring.splitlines()[0]


def test_every_line_of_the_layers_is_drawn() -> None:
    drawing = TEXT.partition("## Who may import whom")[2].partition("\n\nA room")[0]
    for name in set().union(*LAYERS) - {""}:
        assert re.search(rf"(?<!\w){name.removeprefix('_core.')}(?!\w)", drawing), name


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.splitlines()[0])
def test_each_step_of_a_life_is_an_existing_function_named_once(life: str) -> None:
    hops = HOP.findall(life)
    assert len(hops) > 4
    assert len(hops) == len(set(hops))
    for file, function in hops:
        source = (PACKAGE / file).read_text()
        assert re.search(rf"^ *(def|cdef|async def)\b.*\b{function}\(", source, re.MULTILINE) or not function, function


def test_every_named_file_exists() -> None:
    for name in set(
        re.findall(r"`((?:_\w+|base|wire|x509|context|session|trust|connection|callbacks|drivers)/[\w/]+\.\w+)`", TEXT)
    ):
        assert (PACKAGE / name).exists() or (PACKAGE / "_core" / name).exists(), name
