"""Contexts of the standard `ssl` after install(): they go on working over wiretight's MemoryBIO.

They are older than install(), or made later by what it does not reach: a subclass or a default argument from before.
asyncio and its like then give every context a MemoryBIO of wiretight, and a standard context takes none but its own
kind. So the one method by which it takes them is replaced in its class: whatever a program has derived from the
standard classes, or keeps inside its own, as truststore does, comes through there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from wiretight._core.wire.memorybio import MemoryBIO
from wiretight._install.hook import Hook
from wiretight._install.references import is_a
from wiretight._standard.errors import HAS_STANDARD, standard

Result = TypeVar("Result")

_hooks: list[Hook] = []


def keep_working() -> None:
    """Has every standard context, whenever it is made, take either kind of MemoryBIO. Since 0.1."""
    if HAS_STANDARD and not _hooks:
        _hooks.append(Hook(standard.SSLContext, "_wrap_bio", _wrap_bio))


def stop() -> None:
    """The end of that; connections that are there go on. Since 0.1."""
    while _hooks:
        _hooks.pop().remove()


def _wrap_bio(before: Any, context: Any, incoming: Any, outgoing: Any, *args: Any, **options: Any) -> Any:
    inner = [standard.MemoryBIO() if _is_ours(bio) else bio for bio in (incoming, outgoing)]
    made = before(context, *inner, *args, **options)
    return _Carried(made, incoming, outgoing, *inner) if _is_ours(incoming) or _is_ours(outgoing) else made


def _is_ours(bio: object) -> bool:
    return is_a(bio, MemoryBIO)


class _Carried:
    """What is under a standard SSLObject, between MemoryBIOs of wiretight: in their places it has standard ones."""

    __slots__ = ("_incoming", "_inner_incoming", "_inner_outgoing", "_made", "_outgoing")

    def __init__(self, made: Any, incoming: Any, outgoing: Any, inner_incoming: Any, inner_outgoing: Any) -> None:
        values = {
            "_made": made,
            "_incoming": incoming if _is_ours(incoming) else None,
            "_outgoing": outgoing if _is_ours(outgoing) else None,
            "_inner_incoming": inner_incoming,
            "_inner_outgoing": inner_outgoing,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._made, name, value)

    def do_handshake(self) -> Any:
        return self._moving(self._made.do_handshake)

    def read(self, *args: Any) -> Any:
        return self._moving(self._made.read, *args)

    def write(self, data: Any) -> Any:
        return self._moving(self._made.write, data)

    def shutdown(self) -> Any:
        return self._moving(self._made.shutdown)

    def _moving(self, operation: Callable[..., Result], *args: Any) -> Result:
        """Runs an operation with the bytes at hand; afterwards what it did not use is where it was."""
        if self._incoming is not None:
            self._inner_incoming.write(self._incoming.read())
            if self._incoming.eof:
                self._inner_incoming.write_eof()
        try:
            return operation(*args)
        finally:
            if self._outgoing is not None:
                self._outgoing.write(self._inner_outgoing.read())
            if self._incoming is not None and not self._incoming.eof:
                self._incoming.write(self._inner_incoming.read())
