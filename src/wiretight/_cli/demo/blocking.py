"""The blocking way: one connection, one thread, calls that wait."""

import socket
import time

from wiretight._cli.demo.download import Download
from wiretight._cli.demo.way import STALLED, Passage, Target
from wiretight._cli.negotiated import Negotiated


def fetch(target: Target, downloads: list[Download]) -> Passage:
    """Fetch one download after the other, each over a blocking connection of its own."""
    passage = Passage()
    for download in downloads:
        raw = socket.create_connection((target.host, target.port), timeout=STALLED)
        begun = time.perf_counter()
        with target.context.wrap_socket(raw, server_hostname=target.name) as tls:
            passage.handshakes.append(time.perf_counter() - begun)
            passage.negotiated = Negotiated.by(tls)
            tls.sendall(download.request)
            while not download.complete:
                count = tls.recv_into(download.space())
                if not count:
                    break
                download.received(count)
    return passage
