"""The states of a transport, and the table of its transitions. docs/asyncio.md has it as a picture."""

from __future__ import annotations

from enum import Enum
from os import environ

# Set by the tests: a transition that is not in the table raises AssertionError.
CHECKED = "WIRETIGHT_STATE_CHECKS" in environ


class State(Enum):
    """The state of a transport; repr() shows the value. Only Ending._enter() changes it."""

    # It watches nothing, and is not in use yet.
    NEW = "new"
    # Reads and writes for the handshake only. The program's writes are buffered until it is complete.
    HANDSHAKING = "shaking hands"
    # Data is received by the protocol, and its writes are sent. Either direction may have ended, by write_eof() or by
    # the peer's close_notify.
    OPEN = "open"
    # Closed by one side, with output left. Discards incoming data, because the peer may stop reading if it is not read.
    FLUSHING = "flushing"
    # The output ends with our close_notify. Discards data until the peer's, or until ssl_shutdown_timeout.
    CLOSING = "closing"
    # Watches and sends nothing. connection_lost() follows, or has been called.
    LOST = "closed"


# By state, each possible next one and the reason.
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

# The states with a connection to end.
LIVE = (State.HANDSHAKING, State.OPEN, State.FLUSHING, State.CLOSING)
