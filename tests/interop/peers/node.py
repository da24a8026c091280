"""Node's tls module."""

from __future__ import annotations

from tests.interop.peers.peer import output
from tests.interop.peers.scripted import PROGRAMS, Scripted


class Node(Scripted):
    name = "Node"
    programs = ("node",)
    packages = ("nodejs",)

    def version(self) -> str:
        return output("node", "--version").strip().removeprefix("v")

    def command(self) -> list[str]:
        return ["node", str(PROGRAMS / "peer.js")]
