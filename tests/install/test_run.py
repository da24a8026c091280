"""`python -m wiretight run`: a program sees no difference, except in its `ssl`."""

from __future__ import annotations

import signal
import zipfile
from pathlib import Path

import pytest

from tests.install.program import python

RUN = ("-m", "wiretight", "run")

SHOW = """
import sys, ssl
print(sys.argv, __name__, __file__, __package__, sys.path[0], type(__loader__).__name__, __spec__ and __spec__.name)
print(sys.modules["__main__"].__dict__ is globals(), __builtins__.__name__, sorted(globals()))
print(__annotations__, __cached__)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "show.py").write_text(SHOW)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import ssl; print(ssl.__name__)")
    (package / "__main__.py").write_text(SHOW)
    (package / "inner.py").write_text(SHOW)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("__main__.py", SHOW)
    return tmp_path


def without(text: str, *names: str) -> str:
    for name in names:
        text = text.replace(name, "ssl")
    return text


@pytest.mark.parametrize(
    "program",
    [
        ["show.py"],
        ["show.py", "-v", "--help", "a b"],
        ["package"],
        ["packed.zip", "x"],
        ["-m", "package"],
        ["-m", "package.inner", "-m", "more"],
        ["-m", "show"],
        ["-c", "import sys, ssl; print(sys.argv, __name__, repr(globals().get('__file__')))", "-x", "y"],
    ],
    ids=" ".join,
)
def test_the_program_sees_no_difference(folder: Path, program: list[str]) -> None:
    alone, ours = python(*program, folder=folder), python(*RUN, *program, folder=folder)
    assert alone.stdout
    # The program prints the name of its `ssl`.
    assert without(ours.stdout, "wiretight") == alone.stdout
    assert (ours.returncode, ours.stderr) == (alone.returncode, alone.stderr)


def test_a_path_that_goes_up_behind_a_link_is_the_one_that_python_takes(folder: Path) -> None:
    (folder / "elsewhere" / "inner").mkdir(parents=True)
    (folder / "link").symlink_to(folder / "elsewhere" / "inner")
    (folder / "elsewhere" / "program.py").write_text("print(__file__)")
    (folder / "program.py").write_text("print('another program')")
    alone, ours = (python(*how, "link/../program.py", folder=folder) for how in ((), RUN))
    assert alone.stdout.endswith("link/../program.py\n")
    assert ours.stdout == alone.stdout


def test_its_ssl_is_wiretight(folder: Path) -> None:
    for program in (["-c", "import ssl, http.client as h; print(ssl.__name__, h.ssl.__name__)"],):
        assert python(*RUN, *program, folder=folder).stdout == "wiretight wiretight\n"


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit",
        "raise SystemExit(3)",
        "raise SystemExit('a word')",
        "import sys; sys.exit(True)",
        "def f():\n    1 / 0\nf()",
        "def f():\n    g(\nf()",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('x') from None",
        "import atexit; atexit.register(print, 'bye')",
        "import threading; threading.Timer(0, print, ['later']).start()",
        "import sys; sys.excepthook = lambda kind, error, tb: print(kind, error, tb.tb_frame.f_code.co_name)\n1 / 0",
        "import sys; sys.stdout.write('no newline')",
        "raise BrokenPipeError('mine')",
    ],
)
def test_the_program_ends_as_it_would_alone(tmp_path: Path, code: str) -> None:
    (tmp_path / "program.py").write_text(code)
    alone, ours = (python(*how, "program.py", folder=tmp_path) for how in ((), RUN))
    assert (ours.returncode, ours.stdout, ours.stderr) == (alone.returncode, alone.stdout, alone.stderr)


def test_an_interrupted_program_is_ended_by_the_signal() -> None:
    # A shell without job control ignores the signal for what it starts in the background, such as these tests.
    program = (
        "import os, signal as s; s.signal(s.SIGINT, s.default_int_handler); os.kill(os.getpid(), s.SIGINT); s.pause()"
    )
    done = python(*RUN, "-c", program)
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("KeyboardInterrupt\n")
    assert "wiretight" not in done.stderr


def test_a_terminated_program_is_ended_by_the_signal() -> None:
    done = python(*RUN, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM); signal.pause()")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "usage"),
        (["-m"], "needs an argument"),
        (["-x", "show.py"], "-x"),
        (["missing.py"], "No such file"),
        (["-m", "missing"], "no module missing"),
        (["-m", "logging"], "without a __main__.py"),
        (["empty"], "no __main__.py"),
    ],
    ids=repr,
)
def test_a_program_that_cannot_run_is_reported_in_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "empty").mkdir()
    done = python(*RUN, *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("wiretight: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_explains_the_command() -> None:
    done = python(*RUN, "--help")
    assert done.returncode == 0
    assert "-m MODULE" in done.stdout
