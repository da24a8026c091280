"""Descriptors: a loop's reader and writer calls for the sockets of our transports, which are closed to anybody else."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable, MutableMapping
from typing import Any
from weakref import WeakValueDictionary

_GUARDED = ("add_reader", "remove_reader", "add_writer", "remove_writer")


class Descriptors:
    """The descriptors of one loop, by number, and the calls that watch them.

    loop.add_reader() with a transport's descriptor would redirect its events, so asyncio raises RuntimeError. asyncio's
    loops know their transports, and have private calls for them; on other loops, the public calls get the same check.
    """

    __slots__ = ("add_reader", "add_writer", "remove_reader", "remove_writer", "stops_in_error", "transports")

    add_reader: Callable[..., Any]
    add_writer: Callable[..., Any]
    remove_reader: Callable[..., Any]
    remove_writer: Callable[..., Any]
    transports: MutableMapping[int, Any]

    def __init__(self, loop: AbstractEventLoop) -> None:
        known: Any = loop
        is_asyncios = isinstance(loop, BaseSelectorEventLoop)
        # libuv reports a descriptor in error once, and then no longer watches it.
        self.stops_in_error = not is_asyncios
        self.transports = known._transports if is_asyncios else WeakValueDictionary()
        for name in _GUARDED:
            setattr(self, name, getattr(known, f"_{name}" if is_asyncios else name))
            if not is_asyncios:
                setattr(loop, name, self._guarded(getattr(self, name)))

    def _guarded(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(fd: Any, *arguments: Any) -> Any:
            self.check_unused(fd)
            return method(fd, *arguments)

        return guarded

    def check_unused(self, fd: Any) -> None:
        """Raises asyncio's RuntimeError if `fd`, a number or a file, belongs to an open transport. Since 0.1."""
        number = fd if isinstance(fd, int) else fd.fileno()
        transport = self.transports.get(number)
        if transport is not None and not transport.is_closing():
            raise RuntimeError(f"File descriptor {fd!r} is used by transport {transport!r}")


def descriptors_of(loop: AbstractEventLoop) -> Descriptors:
    """The Descriptors of `loop`, which owns them because they refer to it. Since 0.1."""
    found: Descriptors | None = getattr(loop, "_wiretight_descriptors", None)
    if found is None:
        found = loop._wiretight_descriptors = Descriptors(loop)  # type: ignore[attr-defined]
    return found
