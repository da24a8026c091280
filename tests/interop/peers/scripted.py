"""Peers that are libraries: a program of ours for each, in `programs`, all with the same interface.

The program is given its terms as JSON. As a client it takes the data from standard input, writes what comes back to
standard output, and speaks on standard error. As a server it says "port" and its number. Of each connection it says
"connection", its number from 1, and JSON.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from tests.interop.peers.peer import Peer, Serving, ask
from tests.interop.peers.terms import Answer, Said, Terms
from tests.kit.certificates import ADDRESS, Credentials
from tests.kit.programs import Process
from tests.kit.threads import PATIENCE

PROGRAMS = Path(__file__).parent / "programs"


class Scripted(Peer):
    """A peer whose program of ours is started by `command()`."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def call(self, terms: Terms, port: int) -> Answer:
        done = subprocess.run(
            [*self.command(), *self.arguments("client", terms, port)],
            input=terms.data,
            capture_output=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        lines = done.stderr.decode(errors="replace").splitlines()
        said = [facts(line) for line in lines if line.startswith("connection ")]
        return Answer(done.stdout, said[-1] if said else {"error": lines})

    @contextlib.contextmanager
    def serve(self, terms: Terms) -> Iterator[Serving]:
        with Process(*self.command(), *self.arguments("server", terms, 0)) as server:
            port = int(server.line_with("port ").split()[1])
            yield Serving(port, lambda: facts(server.line_with(f"connection {terms.connections} ")), ask, server)

    def arguments(self, role: str, terms: Terms, port: int) -> list[str]:
        """The program's arguments."""
        chain, key = credentials_of(role, terms) or (None, None)
        arguments: dict[str, Any] = {
            "role": role,
            "address": ADDRESS,
            "port": port,
            "version": terms.number,
            "ca": str(terms.certificates.ca_file),
            "chain": chain and str(chain),
            "key": key and str(key),
            "alpn": terms.alpn,
            "demands_certificate": terms.demands_certificate,
            "resume": terms.resume,
            "half_close": terms.half_close,
            "size": len(terms.data),
        }
        return [json.dumps(arguments)]


def credentials_of(role: str, terms: Terms) -> Credentials | None:
    return terms.certificates.server if role == "server" else terms.client_credentials


def facts(line: str) -> Said:
    return json.loads(line.split(maxsplit=2)[2])


class Compiled(Scripted):
    """A program that is compiled, once for each run of the tests."""

    def compile(self, folder: Path) -> Path:
        """The program, built in this folder."""
        raise NotImplementedError

    def command(self) -> list[str]:
        return [str(self._program)]

    @functools.cached_property
    def _program(self) -> Path:
        folder = tempfile.mkdtemp(prefix=f"{self.name}-")
        atexit.register(shutil.rmtree, folder)
        return self.compile(Path(folder))


class PythonPackage(Scripted):
    """A package of the package index, in the Python that runs the tests."""

    package: ClassVar[str]
    module: ClassVar[str]

    def missing(self) -> str | None:
        found = importlib.util.find_spec(self.module)
        return None if found else f"needs {self.package}: pip install --group interop"

    def version(self) -> str:
        return importlib.metadata.version(self.package)
