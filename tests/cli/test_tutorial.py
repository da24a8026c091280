"""The tutorial, from an empty folder to a running service: every block, in two terminals, as it is printed.

Only the port is another one, and the package index is what is installed here.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.printed import DOCS, OUR_PORT, blocks, commands_in_reach
from tests.kit.sockets import free_port
from tests.kit.threads import PATIENCE

BLOCKS = blocks(DOCS / "learn" / "mtls-service.md")


class Terminal:
    """A shell that somebody types into."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self._patience = threading.Timer(10 * PATIENCE, self.kill)
        self._patience.start()
        self._type("trap 'echo this failed: $BASH_COMMAND' ERR\n")

    def _type(self, text: str) -> None:
        assert self._shell.stdin
        self._shell.stdin.write(text)
        self._shell.stdin.flush()

    def _lines(self) -> Iterator[str]:
        assert self._shell.stdout
        while line := self._shell.stdout.readline():
            yield line

    def run(self, text: str) -> str:
        """What it prints, when it is done."""
        self._type(f"{text}echo done''\n")
        printed = []
        for line in self._lines():
            if line == "done\n":
                return "".join(printed)
            printed.append(line)
        raise AssertionError(f"the shell has ended: {''.join(printed)}")

    def start(self, text: str, until: str) -> None:
        """Something that goes on, until it has said this."""
        self._type(text)
        for line in self._lines():
            if line == until:
                return
        raise AssertionError(f"it has never said {until!r}")

    def interrupt(self) -> str:
        """Ctrl-C, and what is said after it."""
        os.killpg(self._shell.pid, signal.SIGINT)
        assert self._shell.stdin
        self._shell.stdin.close()
        return "".join(self._lines())

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)

    def close(self) -> None:
        self._patience.cancel()
        self.kill()
        self._shell.wait()
        for stream in (self._shell.stdin, self._shell.stdout):
            assert stream
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """pip finds everything installed already, and asks nobody."""
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return {
        **inherited,
        "PATH": commands_in_reach(),
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), sysconfig.get_path("purelib")])),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NO_COLOR": "1",
    }


def assert_printed(expected: str, printed: str) -> None:
    """Its lines, in this order; "…" stands for anything."""
    rest = printed
    for line in expected.splitlines():
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        found = re.search(pattern, rest)
        assert found, f"{line!r} is not in {printed!r}"
        rest = rest[found.end() :]


@pytest.mark.timeout(12 * PATIENCE)
def test_the_tutorial_ends_with_a_running_service(environment: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="`wiretight ca` needs it")
    if sys.prefix == sys.base_prefix:
        pytest.skip("this Python may have no virtual environments, in which the tutorial begins")
    port = str(free_port())
    printed, server = "", None
    with contextlib.ExitStack() as terminals:

        def opened() -> Terminal:
            terminal = Terminal(tmp_path, environment)
            terminals.callback(terminal.close)
            return terminal

        terminal = opened()
        for number, block in enumerate(BLOCKS):
            text = block.text.replace(str(OUR_PORT), port)
            if block.language == "python":
                (tmp_path / "notebook" / block.title).write_text(text)
            elif block.language == "text":
                assert_printed(text, printed)
            elif block.title == "server":
                printed = BLOCKS[number + 1].text.replace(str(OUR_PORT), port)
                terminal.start(text, printed)
                server, terminal = terminal, opened()
            else:
                printed = terminal.run(text)
                assert ("this failed" in printed) == (block.title == "refused"), printed
                assert "Traceback" not in printed
        assert server
        assert "Traceback" not in server.interrupt()
