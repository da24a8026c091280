"""The states of a transport, and the table of how one leads to another. docs/asyncio.md has it as a picture."""

from __future__ import annotations

from enum import Enum
from os import environ

# Set by the tests: a transition that is not in the table raises AssertionError.
CHECKED = "WIRETIGHT_STATE_CHECKS" in environ


class State(Enum):
    """What a transport is doing; repr() shows the value. Only Ending._enter() changes it."""

    # It watches nothing, and nobody has it yet.
    NEW = "new"
    # Reads and writes for the handshake only. What the program writes is kept until it is done.
    HANDSHAKING = "shaking hands"
    # The protocol gets what comes, and what it writes is sent. Either direction may have ended, by write_eof() or by
    # the peer's close_notify.
    OPEN = "open"
    # Closed by one side, with output left. Discards what comes, because the peer may read on only if it is read.
    FLUSHING = "flushing"
    # The output ends with our close_notify. Goes on discarding until the peer's, or for ssl_shutdown_timeout.
    CLOSING = "closing"
    # Watches and sends nothing. connection_lost() follows, or has been called.
    LOST = "closed"


# From a state, to each that may be next: why.
TRANSITIONS: dict[State, dict[State, str]] = {
    State.NEW: {
        State.HANDSHAKING: "it begins",
        State.LOST: "it cannot begin",
    },
    State.HANDSHAKING: {
        State.OPEN: "the handshake is done",
        State.LOST: "close(), abort(), a failure or a timeout",
    },
    State.OPEN: {
        State.FLUSHING: "close(), or the peer has ended",
        State.LOST: "abort() or a failure",
    },
    State.FLUSHING: {
        State.CLOSING: "all output is sent, close_notify follows",
        State.LOST: "abort(), a failure or a timeout",
    },
    State.CLOSING: {
        State.LOST: "both have ended, abort(), a failure or a timeout",
    },
    State.LOST: {},
}

# Those in which there is a connection to end.
LIVE = (State.HANDSHAKING, State.OPEN, State.FLUSHING, State.CLOSING)
