"""A target for libFuzzer, which coverage guides: python -m fuzz.guided TARGET CORPUS [libFuzzer's arguments].

`scripts/fuzz --guided` builds a core and an OpenSSL that count their coverage, preloads the library that atheris brings
with it, and keeps what has been found in CORPUS. One line of JSON at the end says how far it came.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

CHILD = "WIRETIGHT_GUIDED"  # in the environment of the process that libFuzzer has, and ends


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


def chosen(name: str, folder: Path, corpus: Path) -> Callable[[bytes], None]:
    if name == "certificate":
        return partial(targets.certificate, targets.CertificateReader())
    if name == "credential":
        reader = targets.CredentialReader()
        for number, data in enumerate(reader.corpus):
            (corpus / f"made{number}").write_bytes(data)
        return partial(targets.credential, reader)
    if name == "trust":
        return partial(targets.trust, targets.TrustReader(folder))
    if name == "bundle":
        return partial(targets.bundle, targets.BundleReader(folder))
    if name == "calls":
        return targets.Calls(folder).run
    peers = targets.Peers(folder)
    recorded(peers, corpus, name == "client_bytes")
    return partial({"client_bytes": targets.client_bytes, "server_bytes": targets.server_bytes}[name], peers)


def fuzz(name: str, corpus: Path, arguments: list[str]) -> None:
    """Does not return."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        target = chosen(name, Path(folder), corpus)
        firsts = {"certificate": ["certificate"], "trust": ["certificate", "crl"], "bundle": ["certificate"]}
        arguments += [str(targets.CORPUS / kind) for kind in firsts.get(name, [])]
        atheris.Setup([sys.argv[0], str(corpus), "-print_final_stats=1", *arguments], target)
        atheris.Fuzz()


def watch(name: str, corpus: Path) -> None:
    """Runs this program as libFuzzer's, passes on what that says, and sums it up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fuzz.guided", *sys.argv[1:]], env={**os.environ, CHILD: "1"},
        stderr=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        sys.stderr.write(line)
        said += [line] if re.match(r"#\d+\s|stat::|Done ", line) else []
    if status := process.wait():
        sys.exit(status)
    text = "".join(said)
    edges = [int(number) for number in re.findall(r"cov: (\d+)", text)]
    done = re.search(r"Done (\d+) runs in (\d+) second", text)
    slowest = re.search(r"slowest_unit_time_sec:\s*(\d+)", text)
    assert done
    assert slowest
    print(
        json.dumps(
            {
                "target": f"guided: {name}", "openssl": wiretight.OPENSSL_VERSION, "seconds": int(done[2]),
                "inputs": int(done[1]), "edges of the first corpus": edges[0], "edges": edges[-1],
                "corpus": len(list(corpus.iterdir())), "slowest input (s)": int(slowest[1]),
            }
        )
    )  # fmt: skip


def main() -> None:
    name, corpus, *arguments = sys.argv[1:]
    Path(corpus).mkdir(parents=True, exist_ok=True)
    if CHILD in os.environ:
        fuzz(name, Path(corpus), arguments)
    else:
        watch(name, Path(corpus))


if CHILD in os.environ:
    import atheris

    with atheris.instrument_imports(include=["wiretight"]):
        import wiretight
else:
    import wiretight

from fuzz import targets  # noqa: E402
from tests.kit.pair import Pair, attempt  # noqa: E402

if __name__ == "__main__":
    main()
