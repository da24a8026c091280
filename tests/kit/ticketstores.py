"""Rings that share their ticket keys in a store in memory, which can be out of order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.kit.subject import tls
from wiretight import TicketKeys
from wiretight._core.session.ticketkeys import clock

WRAPPING_KEY = bytes(range(32))
REFRESH, ROTATE_EVERY = 60, 600
DUE = ROTATE_EVERY - 2 * REFRESH  # when the second key is made
ENDS = ROTATE_EVERY + 3 * REFRESH  # when the first one encrypts nothing any more, even without a second


class Shelf:
    """A TicketKeyStore in memory, which can be out of order, and counts."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.broken: BaseException | None = None
        self.loads = self.stores = self.refused = 0
        self.before_store: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def load(self) -> tuple[object, bytes] | None:
        self.loads += 1
        if self.broken is not None:
            raise self.broken
        return None if self.data is None else (self.data, self.data)

    def store(self, data: bytes, version: object, /) -> bool:
        if self.broken is not None:
            raise self.broken
        self.before_store()
        with self._lock:
            if version != self.data:
                self.refused += 1
                return False
            self.data = data
            self.stores += 1
            return True


def shared(store: Any, **options: Any) -> Any:
    return TicketKeys.shared(
        store, WRAPPING_KEY, **{"refresh": REFRESH, "rotate_every": ROTATE_EVERY, "accept_for": 1200, **options}
    )


def use(ring: Any) -> None:
    """Makes a connection, and so looks at the store if that is due."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.ticket_keys = ring
    context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_side=True)


def names(ring: Any) -> set[bytes]:
    return {each.name for each in ring.keys}


def encrypting(ring: Any) -> bytes | None:
    return max(
        ((each.not_before, each.name) for each in ring.keys if each.not_before <= clock() < each.encrypt_until),
        default=(0, None),
    )[1]
