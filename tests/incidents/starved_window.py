"""A socket that reads ahead, and has no memory to keep it: `python tests/incidents/starved_window.py FOLDER VERSION`.

Every allocation of a read fails once. If it raises nothing, a program that asks has_pending() and select() before each
further one hears of all that has come, and gets it.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from preloaded import allocations_made, starved

import wiretight
from tests.core.peer import Peer, readable
from tests.incidents.faulty import reported
from tests.kit.certificates import Certificates

DATA = [b"a record", b"the next, which came with it", b"and the last"]


def attempt(certificates: Certificates, version: Any, at: int) -> tuple[str, int]:
    """What comes of the read whose allocation number `at` fails, and how many there were."""
    context = certificates.client_context(version)
    context.read_ahead = True
    with Peer(context, certificates.server_context(version)) as peer:
        peer.deliver(b"".join(map(peer.encrypt, DATA)))
        try:
            received = starved(at, peer.sock.recv, len(DATA[0]))
        except (MemoryError, OSError) as error:  # by an OpenSSL inside the core, whose allocations are the core's
            return type(error).__name__, allocations_made()
        made = allocations_made()
        while received != b"".join(DATA):
            assert peer.sock.has_pending() or readable(peer.sock), f"nobody says that there is more than {received!r}"
            received += peer.sock.recv(100)
    return "completed", made


def main() -> Counter[str]:
    certificates = Certificates(Path(sys.argv[1]))
    version = wiretight.TLSVersion[sys.argv[2]]
    outcomes: Counter[str] = Counter()
    _, made = attempt(certificates, version, -1)
    for at in range(made):
        outcome, _ = attempt(certificates, version, at)
        outcomes[outcome] += 1
    return outcomes


if __name__ == "__main__":
    reported(main)
