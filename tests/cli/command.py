"""Runs `python -m wiretight` in a process: in a pipe, in a terminal, or without a library that it can use."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping

from tests.kit.threads import PATIENCE
from wiretight._cli.main import _run as _run_command

COMMAND = (sys.executable, "-m", "wiretight")

Result = subprocess.CompletedProcess[str]


def wiretight(*arguments: object, environment: Mapping[str, str] | None = None) -> Result:
    """The command with these arguments, its output in pipes."""
    return _run([*COMMAND, *map(str, arguments)], environment)


def wiretight_here(*arguments: object) -> Result:
    """The same in this process, which is fifty times as fast: without what main() does to streams and signals."""
    command = [*map(str, arguments)]
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            status = _run_command(command)
        except SystemExit as end:
            status = int(str(end.code or 0))
    return Result([*COMMAND, *command], status, output.getvalue(), errors.getvalue())


def wiretight_without(module: str, *arguments: object) -> Result:
    """The same on a machine where `module` is not installed."""
    return _run([*_command_without(module), *map(str, arguments)], None)


def started(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """The command, running, its output in pipes."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )


def in_terminal(
    *arguments: object, environment: Mapping[str, str] | None = None, without: str | None = None
) -> tuple[int, str]:
    """The exit status and everything that a terminal of 120 columns would have been sent."""
    ours, theirs = pty.openpty()
    variables = {
        **{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")},
        "TERM": "xterm-256color",
        "COLUMNS": "120",
        "LINES": "40",
        **(environment or {}),
    }
    command = [*(_command_without(without) if without else COMMAND), *map(str, arguments)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables) as process:
        os.close(theirs)
        seen = bytearray()
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # Linux reports the end of a terminal as an error
                break
            if not data:
                break
            seen += data
    os.close(ours)
    return process.returncode, seen.decode()


def assert_one_line(result: Result, *words: str, status: int = 1) -> None:
    """The command failed with one line on stderr that has these words in it, and nothing else."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("wiretight: ")
    for word in words:
        assert word in lines[0]
    assert result.returncode == status


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _command_without(module: str) -> list[str]:
    program = (
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"  # what makes the import statement raise ImportError
        "from wiretight._cli.main import main\n"
        "sys.exit(main())\n"
    )
    return [sys.executable, "-c", program]


def _run(command: list[str], environment: Mapping[str, str] | None) -> Result:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
    )
