"""Contexts of the standard `ssl` that are older than install(): they go on working over wiretight's MemoryBIO.

After install(), asyncio and its like make a MemoryBIO of wiretight for every context, and a standard context takes none
but its own kind.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from wiretight._core.memorybio import MemoryBIO
from wiretight._errors import HAS_STANDARD, standard

if TYPE_CHECKING:
    from ssl import SSLObject as _Standard
else:
    _Standard = standard.SSLObject if HAS_STANDARD else object

Result = TypeVar("Result")


def keep_working() -> None:
    """Prepares every standard context that exists. It stays what it is, and does the same as before. Since 0.1."""
    if not HAS_STANDARD:
        return
    for found in gc.get_objects():
        # isinstance() would run the code of proxies, and believe the __class__ of a context of ours.
        if issubclass(type(found), standard.SSLContext) and found.sslobject_class is standard.SSLObject:
            found.sslobject_class = OlderObject


class OlderObject(_Standard):
    """A standard SSLObject that takes either kind of MemoryBIO."""

    __module__ = "wiretight"

    _incoming: MemoryBIO | None = None
    _outgoing: MemoryBIO
    _inner_incoming: standard.MemoryBIO
    _inner_outgoing: standard.MemoryBIO

    @classmethod
    def _create(cls, incoming: Any, outgoing: Any, *args: Any, **kwargs: Any) -> OlderObject:
        own = isinstance(incoming, MemoryBIO), isinstance(outgoing, MemoryBIO)
        inner = [standard.MemoryBIO() if mine else bio for bio, mine in zip((incoming, outgoing), own, strict=True)]
        self: OlderObject = super()._create(*inner, *args, **kwargs)  # type: ignore[misc]
        if all(own):
            self._incoming, self._outgoing = incoming, outgoing
            self._inner_incoming, self._inner_outgoing = inner
        return self

    def do_handshake(self) -> None:
        self._moving(super().do_handshake)

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        return self._moving(super().read, len, buffer)

    def write(self, data: Any) -> int:
        return self._moving(super().write, data)

    def unwrap(self) -> Any:
        return self._moving(super().unwrap)

    def _moving(self, operation: Callable[..., Result], *args: Any) -> Result:
        """Runs an operation with the bytes at hand; afterwards what it did not use is where it was."""
        if self._incoming is None:
            return operation(*args)
        self._inner_incoming.write(self._incoming.read())
        if self._incoming.eof:
            self._inner_incoming.write_eof()
        try:
            return operation(*args)
        finally:
            self._outgoing.write(self._inner_outgoing.read())
            if not self._incoming.eof:
                self._incoming.write(self._inner_incoming.read())
