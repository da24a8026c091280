"""Two SSLObjects joined in one thread: no sockets, no threads, every byte between them controlled by the test."""

from __future__ import annotations

import ssl as standard
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.kit.certificates import HOST
from tests.kit.deliveries import Delivery, whole
from tests.kit.records import Record, records
from tests.kit.subject import tls

Alter = Callable[[Record], bytes]

WANT = object()


def attempt(operation: Callable[..., Any], *args: Any) -> Any:
    """What the operation returns, or WANT where it needs bytes from the other side first."""
    try:
        return operation(*args)
    except standard.SSLWantReadError:
        return WANT


def unaltered(record: Record) -> bytes:
    return record.raw


class Failure(NamedTuple):
    """The first error of a pair: on which side, and what the other side met when that side's last bytes arrived."""

    side: str
    error: Exception
    peer_error: Exception | None


class Link:
    """One direction of a pair: the contents of `outgoing` are in flight until they are carried to the receiver."""

    def __init__(self, outgoing: Any, incoming: Any, receiver: Any) -> None:
        self.outgoing = outgoing
        self.incoming = incoming
        self.receiver = receiver

    def carry(self, delivery: Delivery = whole, alter: Alter = unaltered) -> Iterator[int]:
        """Move what is in flight, piece by piece; yields the size of each piece after the receiver can see it."""
        flight = self.outgoing.read()
        if alter is not unaltered:
            flight = b"".join(alter(record) for record in records(flight))
        for piece in delivery(flight):
            self.incoming.write(piece)
            yield len(piece)


class Pair:
    """`client` and `server`, two SSLObjects; `to_server` and `to_client`, the Links between them."""

    def __init__(
        self, client_context: Any, server_context: Any, *, server_hostname: str | None = HOST, session: Any = None
    ) -> None:
        client_in, client_out = memory_bio(client_context), memory_bio(client_context)
        server_in, server_out = memory_bio(server_context), memory_bio(server_context)
        self.client = client_context.wrap_bio(client_in, client_out, server_hostname=server_hostname, session=session)
        self.server = server_context.wrap_bio(server_in, server_out, server_side=True)
        self.to_server = Link(client_out, server_in, self.server)
        self.to_client = Link(server_out, client_in, self.client)
        self._links = (self.to_server, self.to_client)

    def pump(self, delivery: Delivery = whole) -> int:
        """Carry what is in flight, both ways; returns how many bytes that was. Calls neither side."""
        return sum(sum(link.carry(delivery)) for link in self._links)

    def pump_altered(self, alter: Alter, delivery: Delivery = whole) -> int:
        """As pump, but each record arrives as what `alter` returns for it; b"" makes it vanish."""
        return sum(sum(link.carry(delivery, alter)) for link in self._links)

    def handshake(self, delivery: Delivery = whole, alter: Alter = unaltered) -> None:
        """Complete the handshake on both sides, trying after every piece. Afterwards nothing is in flight."""
        done: list[Any] = []

        def step(side: Any) -> None:
            if side not in done and attempt(side.do_handshake) is not WANT:
                done.append(side)

        step(self.client)
        step(self.server)
        while self._carry_and(step, delivery, alter):
            pass
        missing = [name for name, side in self._sides() if side not in done]
        assert not missing, f"nothing is in flight and the handshake of the {' and the '.join(missing)} has not ended"

    def until_error(self, delivery: Delivery = whole, alter: Alter = unaltered) -> Failure:
        """Handshake, then read on both sides, until nothing moves; returns the first error. One must happen."""
        shaken: list[Any] = []
        errors: dict[str, Exception] = {}
        name_of = {id(side): name for name, side in self._sides()}

        def step(side: Any) -> None:
            name = name_of[id(side)]
            if name in errors:
                return
            try:
                if side not in shaken and attempt(side.do_handshake) is not WANT:
                    shaken.append(side)
                if side in shaken:
                    attempt(side.read)
            except Exception as error:
                errors[name] = error

        step(self.client)
        step(self.server)
        while self._carry_and(step, delivery, alter):
            pass
        assert errors, "neither side failed"
        side, error = next(iter(errors.items()))
        return Failure(side, error, errors.get("server" if side == "client" else "client"))

    def transfer(self, data: bytes, sender: Any, delivery: Delivery = whole, alter: Alter = unaltered) -> bytes:
        """Write `data` on the sender and read on the other side after every piece; returns what arrived there."""
        link = self.to_server if sender is self.client else self.to_client
        unsent = memoryview(data)
        arrived = []
        while unsent:
            unsent = unsent[sender.write(unsent) :]
            arrived += [self.read_all(link.receiver) for _ in link.carry(delivery, alter)]
        return b"".join(arrived)

    def read_all(self, receiver: Any) -> bytes:
        """Everything that the receiver can decrypt of what has arrived so far."""
        parts = []
        while (data := attempt(receiver.read, 65536)) is not WANT and data:
            parts.append(data)
        return b"".join(parts)

    def close(self) -> None:
        """unwrap() on both sides, each once without and once with the other's close_notify."""
        closing = [self.client, self.server]
        while closing:
            closing = [side for side in closing if attempt(side.unwrap) is WANT]
            assert self.pump() or not closing, "nothing is in flight and unwrap() has not ended"

    def _sides(self) -> tuple[tuple[str, Any], tuple[str, Any]]:
        return (("client", self.client), ("server", self.server))

    def _carry_and(self, step: Callable[[Any], None], delivery: Delivery, alter: Alter) -> bool:
        """One flight each way, with a step of the receiver after every piece. False when nothing was in flight."""
        in_flight = False
        for link in self._links:
            in_flight = in_flight or link.outgoing.pending > 0
            for _ in link.carry(delivery, alter):
                step(link.receiver)
        return in_flight


def memory_bio(context: Any) -> Any:
    """A memory BIO that the context accepts: the standard library's contexts require their own class."""
    return standard.MemoryBIO() if type(context) is standard.SSLContext else tls.MemoryBIO()
