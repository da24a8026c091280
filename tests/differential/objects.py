"""SSLObjects and the states they can be in."""

from __future__ import annotations

import contextlib
import ssl as standard
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.differential.place import Contexts, Place
from tests.kit.pair import Link, Pair, attempt


class Objects(Place):
    """An SSLObject, on either side."""

    def __init__(self, module: ModuleType, version: Any, contexts: Contexts, side: str) -> None:
        super().__init__(module, version, contexts, side)
        self.pair = Pair(self.contexts["client"], self.contexts["server"])
        self.it, self.peer = self.pair.client, self.pair.server
        self.out: Link = self.pair.to_server
        self.back: Link = self.pair.to_client
        if side == "server":
            self.it, self.peer = self.peer, self.it
            self.out, self.back = self.back, self.out

    def forget_what_left(self) -> None:
        self.out.outgoing.read()

    def flight(self) -> bytes:
        flight: bytes = self.out.outgoing.read()
        self.out.incoming.write(flight)
        return flight

    def peer_writes(self, data: bytes) -> None:
        self.peer.write(data)
        self.pair.pump()

    def peer_closes(self) -> None:
        attempt(self.peer.unwrap)
        self.pair.pump()


def new(at: Objects) -> None:
    """Nothing has been sent."""


def hello_sent(at: Objects) -> None:
    attempt(at.pair.client.do_handshake)


def servers_flight(at: Objects) -> None:
    hello_sent(at)
    at.pair.pump()
    attempt(at.pair.server.do_handshake)


def end_in_handshake(at: Objects) -> None:
    attempt(at.it.do_handshake)
    at.back.incoming.write_eof()


def opened(at: Objects) -> None:
    at.pair.handshake()


def data(at: Objects) -> None:
    opened(at)
    at.peer_writes(b"peer's data")


def partly_read(at: Objects) -> None:
    data(at)
    at.it.read(2)


def everything_read(at: Objects) -> None:
    data(at)
    at.it.read()


def two_records(at: Objects) -> None:
    data(at)
    at.peer_writes(b"and more")


def part_of_a_record(at: Objects) -> None:
    opened(at)
    attempt(at.it.read)
    at.peer.write(b"peer's data")
    at.back.incoming.write(at.back.outgoing.read()[:-1])


def close_notify(at: Objects) -> None:
    opened(at)
    at.peer_closes()


def data_and_close_notify(at: Objects) -> None:
    data(at)
    at.peer_closes()


def close_notify_read(at: Objects) -> None:
    close_notify(at)
    at.it.read()


def end(at: Objects) -> None:
    opened(at)
    at.back.incoming.write_eof()


def data_and_end(at: Objects) -> None:
    data(at)
    at.back.incoming.write_eof()


def end_met(at: Objects) -> None:
    end(at)
    with contextlib.suppress(standard.SSLEOFError):
        at.it.read()


def we_closed(at: Objects) -> None:
    everything_read(at)
    attempt(at.it.unwrap)
    at.pair.pump()


def we_closed_and_data_came(at: Objects) -> None:
    we_closed(at)
    at.peer_writes(b"peer's data")


def both_closed(at: Objects) -> None:
    everything_read(at)
    at.pair.close()


def damaged_record_met(at: Objects) -> None:
    opened(at)
    attempt(at.it.read)
    at.peer.write(b"peer's data")
    at.pair.pump_altered(lambda record: record.damaged())
    with contextlib.suppress(standard.SSLError):
        at.it.read()


# Until it is open, the lengths of the handshake's records depend on those of signatures.
OBJECTS_BEFORE_OPEN = (new, hello_sent, servers_flight, end_in_handshake)
OBJECT_STATES: dict[str, Callable[[Objects], None]] = {
    state.__name__: state
    for state in (
        *OBJECTS_BEFORE_OPEN,
        opened,
        data,
        partly_read,
        everything_read,
        two_records,
        part_of_a_record,
        close_notify,
        data_and_close_notify,
        close_notify_read,
        end,
        data_and_end,
        end_met,
        we_closed,
        we_closed_and_data_came,
        both_closed,
        damaged_record_met,
    )
}
