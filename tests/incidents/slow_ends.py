"""fork() while a thread that used OpenSSL is ending: `python tests/incidents/slow_ends.py FOLDER USE`.

OpenSSL frees at the end of a thread what it kept for it, and holds a lock meanwhile. The thread takes its time for
that, the process forks again and again until it has gone, and a new thread of each child uses OpenSSL.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from preloaded import faults

import wiretight
from tests.incidents.faulty import reported
from tests.incidents.processes import Child
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.threads import PATIENCE

THREADS = Path("/proc/self/task")


def uses(certificates: Certificates) -> dict[str, Callable[[], object]]:
    client, server = certificates.client_context(), certificates.server_context()
    return {
        "handshake": lambda: Pair(client, server).handshake(),
        "connection": lambda: Pair(client, server),
        "context": lambda: wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT),
        "error": lambda: refused(client),
        "random": lambda: wiretight.RAND_bytes(1),
    }


def refused(context: wiretight.SSLContext) -> None:
    with contextlib.suppress(wiretight.SSLError):
        context.set_ciphers("none such")


def main() -> Counter[str]:
    use = uses(Certificates(Path(sys.argv[1])))[sys.argv[2]]
    outcomes: Counter[str] = Counter()
    is_ending = threading.Event()
    number = 0

    def use_and_end_slowly() -> None:
        nonlocal number
        number = threading.get_native_id()
        use()
        faults.faults_slow_frees()
        is_ending.set()

    def use_in_a_thread() -> None:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()

    warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork")
    thread = threading.Thread(target=use_and_end_slowly)
    thread.start()
    assert is_ending.wait(PATIENCE)  # join() waits for all of the end, from Python 3.13 on
    while (THREADS / str(number)).exists():
        assert Child(use_in_a_thread).succeeded(), f"fork {outcomes.total() + 1} left a lock behind"
        outcomes["completed"] += 1
    return outcomes


if __name__ == "__main__":
    reported(main)
