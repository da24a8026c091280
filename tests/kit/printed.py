"""What the pages print: programs, commands and what these answer, so that tests can run them as they are printed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kit.certificates import ADDRESS, HOST
from tests.kit.threads import PATIENCE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

# The server of a program that is a client, and the port of one that is a server.
THEIR_SERVER, ITS_PORT = "example.org", 443
OUR_PORT = 8443

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code, and the heading that it stands under."""

    heading: str
    language: str
    title: str  # of a file, or how a command goes
    text: str


def blocks(page: Path) -> list[Block]:
    found = []
    heading = ""
    for part in re.split(r"^(?=## )", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if part.startswith("## "):
            heading = part.partition("\n")[0].removeprefix("## ")
        found += [Block(heading, language, title, text) for language, title, text in BLOCK.findall(part)]
    return found


def programs(page: Path) -> list[str]:
    """The programs that are whole: those with a title are one of several files."""
    return [block.text for block in blocks(page) if block.language == "python" and not block.title]


def on_loopback(program: str, port: int) -> str:
    """The program with this server in place of example.org, and this port in place of 8443."""
    program = program.replace(f"https://{THEIR_SERVER}/", f"https://{HOST}:{port}/").replace(THEIR_SERVER, HOST)
    program = re.sub(rf"\b{ITS_PORT}\b", str(port), program)
    return program.replace(str(OUR_PORT), str(port))


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server; it and those that it has started end with the block."""
    with subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True) as server:
        try:
            yield server
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def connected(server: subprocess.Popen[bytes], port: int) -> socket.socket:
    """A connection to the server, as soon as it listens."""
    while server.poll() is None:
        for address in (ADDRESS, "::1"):
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection((address, port), timeout=PATIENCE)
        time.sleep(0.01)
    raise AssertionError("the server ended")


def commands_in_reach() -> str:
    """A PATH on which `wiretight` and `python` are those of this interpreter."""
    folder = Path(sys.executable).parent
    if not (folder / "wiretight").exists():
        pytest.skip("the command wiretight is not installed beside this Python")
    return os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
