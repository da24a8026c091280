"""How an asyncio row makes its loop, its servers and its connections: the same three calls for every row."""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from rows import Row


def run(row: Row, main: Coroutine[Any, Any, Any]) -> Any:
    """asyncio.run() on the row's kind of loop."""
    loop: asyncio.AbstractEventLoop = _factory(row)()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _factory(row: Row) -> Callable[[], asyncio.AbstractEventLoop]:
    if row.loop == "uvloop":
        return importlib.import_module("uvloop").new_event_loop  # type: ignore[no-any-return]
    return asyncio.new_event_loop


async def create_server(row: Row, protocol: Callable[[], Any], context: Any, sock: socket.socket) -> Any:
    return await _call(row, "create_server")(protocol, sock=sock, ssl=context)


async def create_connection(row: Row, protocol: Callable[[], Any], context: Any, sock: socket.socket, name: str) -> Any:
    return await _call(row, "create_connection")(protocol, sock=sock, ssl=context, server_hostname=name)


def _call(row: Row, name: str) -> Callable[..., Any]:
    loop = asyncio.get_running_loop()
    if row.transport == "loop":
        return getattr(loop, name)  # type: ignore[no-any-return]
    function = getattr(importlib.import_module(row.transport), name)
    # aiofastnet's functions take the loop first; wiretight's find it.
    return functools.partial(function, loop) if row.transport == "aiofastnet" else function  # type: ignore[no-any-return]
