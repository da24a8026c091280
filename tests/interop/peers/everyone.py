"""The rows of the table.

As a program, it prints the packages of Debian that bring those peers who are missing,
but for those that its arguments name.
"""

from __future__ import annotations

import os
import sys

from tests.interop.peers.browser import Chromium, Firefox
from tests.interop.peers.curl import Curl
from tests.interop.peers.gnutls import GnuTLS
from tests.interop.peers.golang import Go
from tests.interop.peers.haproxy import HAProxy
from tests.interop.peers.nginx import Nginx
from tests.interop.peers.node import Node
from tests.interop.peers.nss import NSS
from tests.interop.peers.openssl import OpenSSL
from tests.interop.peers.peer import Peer
from tests.interop.peers.rustls import Rustls
from tests.interop.peers.tlslite_ng import TlsliteNG

EVERYONE: list[Peer] = [
    OpenSSL(),
    GnuTLS(),
    NSS(),
    Go(),
    Node(),
    Rustls(),
    TlsliteNG(),
    Nginx(),
    HAProxy(),
    Curl(),
    Chromium(),
    Firefox(),
]

# Those whose programs scripts/test installs.
USUAL = ("OpenSSL", "curl")


def invited() -> list[Peer]:
    """The peers that the tests meet: the usual ones; all with WIRETIGHT_INTEROP=full; or those that it names."""
    names = os.environ.get("WIRETIGHT_INTEROP", ",".join(USUAL))
    if names == "full":
        return EVERYONE
    unknown = set(names.split(",")) - {peer.name for peer in EVERYONE}
    if unknown:
        raise ValueError(f"WIRETIGHT_INTEROP: no peer is called {', '.join(sorted(unknown))}")
    return [peer for peer in EVERYONE if peer.name in names.split(",")]


if __name__ == "__main__":
    print(*(name for peer in EVERYONE if peer.name not in sys.argv and peer.missing() for name in peer.packages))
