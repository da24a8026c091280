"""Go's standard library, in a program of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.interop.peers.peer import output
from tests.interop.peers.scripted import PROGRAMS, Compiled


class Go(Compiled):
    name = "Go"
    programs = ("go",)
    packages = ("golang-go",)

    def version(self) -> str:
        return output("go", "version").split()[2].removeprefix("go")

    def compile(self, folder: Path) -> Path:
        subprocess.run(["go", "build", "-o", folder / "peer", PROGRAMS / "peer.go"], check=True)
        return folder / "peer"
