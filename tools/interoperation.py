"""docs/interoperation.md from what tests/interop/test_peers.py found (JUnit's XML) and the reasons that peers give."""

from __future__ import annotations

import platform
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

import wiretight
from tests.interop.peers.everyone import EVERYONE
from tests.interop.peers.peer import Peer
from tests.interop.peers.terms import CAPABILITIES, CLIENT, ROLES, SERVER, VERSIONS, Terms

HEAD = """\
# Interoperation: wiretight and other implementations of TLS

Written by `scripts/interop` from the results of a run; nothing here is typed by hand.
The tests are in [tests/interop/test_peers.py](../tests/interop/test_peers.py): every peer over TLS 1.2 and 1.3, in both
roles. ✓ stands for both versions. Where the peer, or the program that it is driven by, cannot, a footnote says why.

- **plain**: a verified connection, a line each way; a client refuses the server of a CA that it does not know.
- **client certificate**: a server that requires one takes it, and refuses a client without.
- **resumption**: a second connection resumes the session of the first.
- **ALPN**: out of two protocols the one that both have is chosen.
- **1 MiB echo**: comes back unchanged.
- **half-close**: the client sends its close_notify first, and gets the answer after that.

Where the peer says something of the connection, it has to say the same as wiretight."""

TITLES = {
    SERVER: "wiretight is the client, the peer is the server",
    CLIENT: "wiretight is the server, the peer is the client",
}

Cell = tuple[str, str, str, str]


def outcomes(path: Path) -> dict[Cell, set[str]]:
    """What became of the tests of each cell."""
    found: dict[Cell, set[str]] = defaultdict(set)
    for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314  # our own file
        properties = {entry.get("name"): entry.get("value", "") for entry in case.iter("property")}
        if "peer" in properties:
            cell = (properties["peer"], properties["role"], properties["capability"], properties["version"])
            bad = case.find("failure") is not None or case.find("error") is not None
            found[cell].add("failed" if bad else "skipped" if case.find("skipped") is not None else "passed")
    return found


class Table:
    """The rows of both roles, and the footnotes that they share."""

    def __init__(self, found: dict[Cell, set[str]]) -> None:
        self._found = found
        self._footnotes: dict[str, int] = {}

    def _footnote(self, reason: str) -> str:
        return f"[^{self._footnotes.setdefault(reason, len(self._footnotes) + 1)}]"

    def _verdict(self, peer: Peer, role: str, capability: str, version: str) -> str:
        if reason := peer.reason(role, capability, version):
            return "no" + self._footnote(reason)
        outcome = self._found[peer.name, role, capability, version]
        if "failed" in outcome:
            return "✗"
        return "✓" if "passed" in outcome else "not tried"

    def _cell(self, peer: Peer, role: str, capability: str) -> str:
        names = [Terms.name_of(version) for version in VERSIONS]
        verdicts = [self._verdict(peer, role, capability, name) for name in names]
        if len(set(verdicts)) == 1:
            return verdicts[0]
        return ", ".join(
            f"{name.removeprefix('TLSv')} {verdict}" for name, verdict in zip(names, verdicts, strict=True)
        )

    def rows(self, role: str) -> list[str]:
        lines = [["peer", *CAPABILITIES], ["---"] * (1 + len(CAPABILITIES))]
        for peer in EVERYONE:
            title = peer.name if peer.missing() else f"{peer.name} {peer.version()}"
            mark = "" if peer.verifies else self._footnote(f"{peer.name} checks no certificate chains.")
            lines.append([title + mark, *(self._cell(peer, role, capability) for capability in CAPABILITIES)])
        return ["| " + " | ".join(line) + " |" for line in lines]

    def footnotes(self) -> list[str]:
        return [f"[^{number}]: {reason}" for reason, number in self._footnotes.items()]


def main() -> None:
    found = outcomes(Path(sys.argv[1]))
    table = Table(found)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{HEAD}\n\nThis run: wiretight with {wiretight.OPENSSL_VERSION}, on {python}.")
    for role in reversed(ROLES):
        print("\n".join(["", f"## {TITLES[role]}", "", *table.rows(role)]))
    print("\n".join(["", *table.footnotes()]))


if __name__ == "__main__":
    main()
