"""A fleet that shares its ticket keys in a store of its own."""

from typing_extensions import assert_type

import wiretight


class Table:
    """A TicketKeyStore in a table of a database, of which the rows have numbers."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []

    def load(self) -> tuple[object, bytes] | None:
        return (len(self.rows), self.rows[-1]) if self.rows else None

    def store(self, data: bytes, version: object, /) -> bool:
        if version != (len(self.rows) or None):
            return False
        self.rows.append(data)
        return True


def share(context: wiretight.SSLContext, store: wiretight.TicketKeyStore, wrapping_key: bytes) -> bytes:
    assert_type(context.ticket_keys, wiretight.TicketKeys | None)
    ring = wiretight.TicketKeys.shared(store, wrapping_key, refresh=30)
    assert_type(ring, wiretight.TicketKeys)
    context.ticket_keys = ring
    assert_type(ring.keys, tuple[wiretight.TicketKey, ...])
    assert_type(ring.rotate().expires, float)
    return ring.to_bytes(bytearray(wrapping_key))


def servers(wrapping_key: bytes) -> list[wiretight.SSLContext]:
    contexts = [wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER) for _ in range(4)]
    share(contexts[0], Table(), wrapping_key)
    share(contexts[1], wiretight.FileTicketKeyStore("ticket-keys"), wrapping_key)
    contexts[2].ticket_keys = wiretight.TicketKeys.from_files("new.key", "old.key")
    key = wiretight.TicketKey(b"n" * 16, bytes(64), 0, 1, 2)
    contexts[3].ticket_keys = wiretight.TicketKeys([key], rotate_every=None)
    return contexts
