"""What a ring costs a server: cost.py [HANDSHAKES]. CPU time of a handshake with one, beside OpenSSL's own ticket keys.

Both take turns, over memory BIOs in one thread; what is compared is the server's part, in ten groups of each kind.
"""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import wiretight

GROUPS = 10


def contexts(folder):
    """A client's, and a server's without a ring and with one."""
    chain, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )  # fmt: skip
    client = wiretight.create_default_context(cafile=chain)
    own, ring = (wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER) for _ in range(2))
    for server in (own, ring):
        server.load_cert_chain(chain, key)
    ring.ticket_keys = wiretight.TicketKeys()
    return client, own, ring


def cpu_of_server(client_context, server_context, session):
    """Seconds of CPU of the server's steps, to its last ticket."""
    bios = [wiretight.MemoryBIO() for _ in range(2)]
    client = client_context.wrap_bio(*bios, server_hostname="localhost", session=session)
    spent = -time.thread_time()
    server = server_context.wrap_bio(*reversed(bios), server_side=True)
    spent += time.thread_time()
    for side in (client, server, client, server):
        spent -= time.thread_time() if side is server else 0
        with contextlib.suppress(wiretight.SSLWantReadError):
            side.do_handshake()
        spent += time.thread_time() if side is server else 0
    server.write(b"data")
    client.read()
    if client.session_reused is not (session is not None):
        sys.exit("what should have been resumed was not, or the reverse")
    return spent, client.session


def compared(client, servers, count, resumes):
    """Microseconds of each server, as the medians of groups."""
    spent = ([], [])
    sessions = [cpu_of_server(client, server, None)[1] if resumes else None for server in servers]
    for number in range(2 * count):
        which = number % 2
        seconds, session = cpu_of_server(client, servers[which], sessions[which])
        spent[which].append(seconds * 1e6)
        sessions[which] = session if resumes else None
    size = count // GROUPS
    return [[statistics.median(values[i * size : (i + 1) * size]) for i in range(GROUPS)] for values in spent]


def main(count=3000):
    """Prints microseconds, and the ratio with its standard error."""
    with tempfile.TemporaryDirectory() as folder:
        client, *servers = contexts(Path(folder))
        for kind in ("full", "resumed"):
            own, ring = compared(client, servers, int(count), kind == "resumed")
            ratios = [after / before for before, after in zip(own, ring, strict=True)]
            error = statistics.stdev(ratios) / GROUPS**0.5
            print(
                f"{kind}: {statistics.median(own):.1f} µs with OpenSSL's own keys, {statistics.median(ring):.1f} µs "
                f"with a ring, ratio {statistics.mean(ratios):.4f} ± {error:.4f}"
            )


main(*sys.argv[1:])
