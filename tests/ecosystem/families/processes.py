"""Clients and servers that are programs, started with `python -m wiretight run`, for what must come after install()."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import wiretight
from tests.ecosystem.terms import Client, Server, Terms
from tests.kit.programs import Process
from tests.kit.threads import PATIENCE

PROGRAMS = Path(__file__).parents[1] / "programs"


class Refused(Exception):
    """The program has ended with an error; this is what it said."""


def command(module: ModuleType, *arguments: object, **variables: object) -> list[str]:
    """Runs Python with these arguments, and wiretight as its `ssl`, unless `module` is the standard one."""
    path, run = [str(Path(wiretight.__file__).parents[1])], []
    if module is wiretight:
        # In `alone` is a sitecustomize.py that stops the standard `ssl` from working.
        path, run = [str(PROGRAMS / "alone"), *path], ["-m", "wiretight", "run"]
    path += filter(None, [os.environ.get("PYTHONPATH")])
    environment = {"PYTHONPATH": os.pathsep.join(path), **variables}
    settings = [f"{name}={value}" for name, value in environment.items()]
    return ["env", *settings, sys.executable, *run, *map(str, arguments)]


def output(command: list[str], data: bytes = b"") -> bytes:
    done = subprocess.run(command, input=data, capture_output=True, timeout=2 * PATIENCE, check=False)
    if done.returncode != 0:
        raise Refused((done.stdout + done.stderr).decode(errors="replace"))
    return done.stdout


def arguments(terms: Terms) -> tuple[object, ...]:
    return (terms.ca_file or "", *(terms.credentials or ("", "")))


def client(program: str) -> Client:
    def run(terms: Terms, port: int, data: bytes) -> bytes:
        parts = (PROGRAMS / f"{program}.py", "client", *arguments(terms), port)
        return output(command(terms.module, *parts, SSL_CERT_FILE=terms.certificates.ca_file), data)

    return run


def server(program: str) -> Server:
    @contextlib.contextmanager
    def run(terms: Terms) -> Iterator[int]:
        parts = (PROGRAMS / f"{program}.py", "server", *arguments(terms))
        with Process(*command(terms.module, *parts)) as process:
            yield int(process.line_with("port ").split()[1])

    return run
