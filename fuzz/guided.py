"""A target for libFuzzer, which coverage guides: python -m fuzz.guided TARGET [libFuzzer's arguments].

`scripts/fuzz --guided` builds a core that counts its coverage, and preloads the library that atheris brings with it.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["wiretight"]):
    import wiretight  # noqa: F401

from fuzz import targets
from tests.kit.pair import Pair, attempt


def recorded(peers: targets.Peers, folder: Path, of_client: bool) -> None:
    """What one side says in a handshake of each kind: a corpus to begin with."""
    for number, contexts in enumerate(peers.contexts):
        pair, said = Pair(*contexts), b""
        attempt(pair.client.do_handshake)
        for turn in range(6):
            link = (pair.to_server, pair.to_client)[turn % 2]
            flight = link.outgoing.read()
            said += flight if (link is pair.to_server) == of_client else b""
            link.incoming.write(flight)
            with contextlib.suppress(OSError):
                attempt(link.receiver.do_handshake)
        (folder / f"recorded{number}").write_bytes(said)


def chosen(name: str, folder: Path) -> Callable[[bytes], None]:
    if name == "certificate":
        return partial(targets.certificate, targets.CertificateReader())
    if name == "calls":
        return targets.Calls(folder).run
    peers = targets.Peers(folder)
    recorded(peers, folder / "corpus", name == "client_bytes")
    return partial({"client_bytes": targets.client_bytes, "server_bytes": targets.server_bytes}[name], peers)


def main() -> None:
    name, *arguments = sys.argv[1:]
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "corpus").mkdir()
        target = chosen(name, folder)
        if name == "certificate":
            arguments.append(str(targets.CORPUS / "certificate"))
        atheris.Setup([sys.argv[0], str(folder / "corpus"), *arguments], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
