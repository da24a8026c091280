"""Programs for terminals: their standard streams carry the plaintext of a TLS connection."""

from __future__ import annotations

import contextlib

from tests.interop.peers.terms import Terms
from tests.kit.programs import Process


def converse(process: Process, terms: Terms) -> bytes:
    """A client's half of an exchange, sent to such a program; returns what came back."""
    with contextlib.suppress(BrokenPipeError):  # its handshake has failed
        process.say(terms.data)
    if terms.half_close:
        process.end_of_input()
    answered = process.says(terms.data)
    with contextlib.suppress(BrokenPipeError):
        process.end_of_input()
    process.wait()
    return terms.data if answered else b""
