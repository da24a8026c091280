"""A server on an event loop, in a thread."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.kit.certificates import ADDRESS


@contextlib.contextmanager
def served(server: AbstractAsyncContextManager[int], backend: str = "asyncio", **options: Any) -> Iterator[int]:
    """Keeps the server in a loop of its own while the block lasts."""
    from anyio.from_thread import start_blocking_portal

    with start_blocking_portal(backend, options) as portal, portal.wrap_async_context_manager(server) as port:
        yield port


def listener() -> socket.socket:
    """A socket that listens already: a client that is too early waits in its queue."""
    return socket.create_server((ADDRESS, 0))
