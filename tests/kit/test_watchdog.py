"""The watchdog of the tests is configuration, which can get lost: these tests run pytest with it."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFIGURATION = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def outcome_of(tmp_path):
    """Runs one test of the given text with this repository's configuration; returns its exit status and output."""

    def run(test, *arguments):
        file = tmp_path / "test_it.py"
        file.write_text(test)
        command = [sys.executable, "-m", "pytest", "-c", CONFIGURATION, "--rootdir", tmp_path, *arguments, file]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_test_that_does_nothing_passes(outcome_of):
    status, output = outcome_of("def test(): pass")
    assert status == 0, output


def test_an_error_in_a_thread_fails_the_test(outcome_of):
    status, output = outcome_of(
        "import threading\n"
        "def test():\n"
        "    thread = threading.Thread(target=divmod, args=(1, 0))\n"
        "    thread.start()\n"
        "    thread.join()\n"
    )
    assert status == 1
    assert "ZeroDivisionError" in output


def test_an_unraisable_error_fails_the_test(outcome_of):
    status, output = outcome_of("class Fragile:\n    def __del__(self):\n        1 / 0\ndef test():\n    Fragile()\n")
    assert status == 1
    assert "ZeroDivisionError" in output


def test_a_socket_that_is_not_closed_fails_the_test(outcome_of):
    status, output = outcome_of("import socket\ndef test():\n    socket.socket()\n")
    assert status == 1
    assert "unclosed <socket" in output


def test_a_test_that_hangs_fails_and_shows_where_every_thread_is(outcome_of):
    status, output = outcome_of(
        "import threading\n"
        "def stuck():\n"
        "    threading.Event().wait()\n"
        "def test():\n"
        "    threading.Thread(target=stuck, daemon=True).start()\n"
        "    stuck()\n",
        "--timeout=1",
    )
    assert status != 0
    assert "Timeout" in output
    assert output.count("in stuck") >= 2


def test_every_test_has_a_time_limit(request):
    assert float(request.config.getini("timeout")) > 0
