"""tlslite-ng, TLS in pure Python."""

from __future__ import annotations

import sys
from typing import ClassVar

from tests.interop.peers.peer import Reasons
from tests.interop.peers.scripted import PROGRAMS, PythonPackage
from tests.interop.peers.terms import CLIENT, CLIENT_CERTIFICATE, HALF_CLOSE


class TlsliteNG(PythonPackage):
    name = "tlslite-ng"
    package = "tlslite-ng"
    module = "tlslite"
    verifies = False
    cannot: ClassVar[Reasons] = {
        (HALF_CLOSE,): "A connection of tlslite-ng is closed both ways by the first close_notify.",
        (CLIENT, CLIENT_CERTIFICATE, "TLSv1.3"): (
            "In TLS 1.3 tlslite-ng has no client certificates with servers on OpenSSL, the standard `ssl` among them."
        ),
    }

    def command(self) -> list[str]:
        return [sys.executable, str(PROGRAMS / "tlslite_peer.py")]
