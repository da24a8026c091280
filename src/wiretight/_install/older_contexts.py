"""Contexts of the standard `ssl` after install(): they keep working, over wiretight's MemoryBIO.

They are older than install(), or created later by what it does not reach: an earlier subclass or default argument.
asyncio and similar libraries then pass every context a MemoryBIO of wiretight, but a standard context accepts only its
own kind. So the one method through which it gets them is replaced in its class: it serves whatever a program has
derived from the standard classes, or keeps inside its own, as truststore does.
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


def install() -> None:
    """Makes every standard context, existing or future, accept either kind of MemoryBIO. Since 0.1."""
    if HAS_STANDARD and not _hooks:
        _hooks.append(Hook(standard.SSLContext, "_wrap_bio", _wrap_bio))


def uninstall() -> None:
    """Reverts install(); open connections continue. Since 0.1."""
    while _hooks:
        _hooks.pop().remove()


def _wrap_bio(before: Any, context: Any, incoming: Any, outgoing: Any, *args: Any, **options: Any) -> Any:
    inner = [standard.MemoryBIO() if _is_ours(bio) else bio for bio in (incoming, outgoing)]
    native = before(context, *inner, *args, **options)
    return _Relay(native, incoming, outgoing, *inner) if _is_ours(incoming) or _is_ours(outgoing) else native


def _is_ours(bio: object) -> bool:
    return is_a(bio, MemoryBIO)


class _Relay:
    """The native object under a standard SSLObject, which uses standard MemoryBIOs in place of wiretight's."""

    __slots__ = ("_incoming", "_inner_incoming", "_inner_outgoing", "_native", "_outgoing")

    def __init__(self, native: Any, incoming: Any, outgoing: Any, inner_incoming: Any, inner_outgoing: Any) -> None:
        values = {
            "_native": native,
            "_incoming": incoming if _is_ours(incoming) else None,
            "_outgoing": outgoing if _is_ours(outgoing) else None,
            "_inner_incoming": inner_incoming,
            "_inner_outgoing": inner_outgoing,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._native, name, value)

    def do_handshake(self) -> Any:
        return self._run(self._native.do_handshake)

    def read(self, *args: Any) -> Any:
        return self._run(self._native.read, *args)

    def write(self, data: Any) -> Any:
        return self._run(self._native.write, data)

    def shutdown(self) -> Any:
        return self._run(self._native.shutdown)

    def _run(self, operation: Callable[..., Result], *args: Any) -> Result:
        """Runs an operation with the incoming bytes, and puts back those that it did not use."""
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
