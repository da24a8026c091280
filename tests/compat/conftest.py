"""The interpreters whose own tests are run: this one, and those that an environment variable names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import wiretight
from tests.compat.building import built_for
from tests.compat.runner import Interpreter

VARIABLE = "WIRETIGHT_COMPAT_PYTHONS"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "command" in metafunc.fixturenames:
        metafunc.parametrize("command", [sys.executable, *os.environ.get(VARIABLE, "").split()], scope="session")


@pytest.fixture(scope="session")
def interpreter(command: str, tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """An interpreter that can import wiretight; for any but this one, it is built first."""
    if command == sys.executable:
        return Interpreter(command, (str(Path(wiretight.__file__).parents[1]),))
    return Interpreter(command, (str(built_for(command, tmp_path_factory.mktemp("build"))),))
