"""signals: a command ends when it is told to, wherever it is at that moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.threads import PATIENCE

# A command that is told to end while it is in a place where the interpreter only prints an exception, then waits.
PROGRAM = """
import os, signal, sys, tempfile, threading, weakref
from wiretight._cli import main
from wiretight._cli.demo import command

class Referenced:
    pass

class Destroyed:
    def __del__(self):
        told_to_end()

def told_to_end(_=None):
    os.kill(os.getpid(), signal.{name})
    while True:
        pass

def run(options):
    with tempfile.TemporaryDirectory(dir={folder!r}):
        {place}
        threading.Event().wait()

command.run = run
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored
sys.exit(main.main(["demo"]))
"""
PLACES = {
    "destructor": "Destroyed()",
    "weak reference": "it = Referenced(); reference = weakref.ref(it, told_to_end); del it",
    "both": "it = Referenced(); reference = weakref.ref(it, told_to_end); del it; Destroyed()",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_not_lost_where_exceptions_are_only_printed(
    place: str, number: signal.Signals, status: int, tmp_path: Path
) -> None:
    program = PROGRAM.format(name=number.name, folder=str(tmp_path), place=place)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE
    )

    assert done.returncode == status, done.stderr
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


LEFT_ALONE = """
import signal, sys
from wiretight._cli import main, signals as ours
from wiretight._cli.demo import command

ours._AGAIN = 60
signals = signal.SIGTERM, signal.SIGHUP, signal.SIGINT
signal.signal(signal.SIGHUP, signal.SIG_IGN)
before = [*map(signal.getsignal, signals), sys.unraisablehook]

class Destroyed:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

def run(options):
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, "that of nohup"
    Destroyed()  # SIGTERM would come again after this
    return 7

command.run = run
status = main.main(["demo"])
assert [*map(signal.getsignal, signals), sys.unraisablehook] == before
assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
sys.exit(status)
"""


def test_a_command_that_is_over_leaves_signals_as_they_were() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_ALONE], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert (done.returncode, done.stderr) == (7, "")
