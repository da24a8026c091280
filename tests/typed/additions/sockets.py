"""More from a socket, and from an object: what is there, what is next, several buffers, an end."""

import selectors

from typing_extensions import assert_type

import wiretight
from wiretight import SSLObject, SSLSocket


def read_ahead(context: wiretight.SSLContext) -> bool:
    assert_type(context.read_ahead, bool)
    context.read_ahead = True
    return context.read_ahead


def verbs(connection: SSLSocket | SSLObject) -> None:
    assert_type(connection.pending(), int)
    assert_type(connection.has_pending(), bool)
    assert_type(connection.peek(4), bytes)
    assert_type(connection.sendv([b"header", memoryview(b"body")]), int)
    connection.close_notify()


def renew(context: wiretight.SSLContext, connection: SSLSocket | SSLObject) -> None:
    assert_type(context.key_update_after, int | None)
    context.key_update_after = 1 << 24
    connection.key_update()
    connection.key_update(request_peer=True)


def select(connection: SSLSocket) -> bool:
    with wiretight.Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))
