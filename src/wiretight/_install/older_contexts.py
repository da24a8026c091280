"""Contexts of the standard `ssl` that are older than install(): they go on working over wiretight's MemoryBIO.

After install(), asyncio and its like make a MemoryBIO of wiretight for every context, and a standard context takes none
but its own kind.
"""

from __future__ import annotations

from collections.abc import Callable
from gc import get_objects
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

from wiretight._core.wire.memorybio import MemoryBIO
from wiretight._install.references import is_a
from wiretight._standard.errors import HAS_STANDARD, standard

if TYPE_CHECKING:
    from ssl import SSLObject as _Standard
else:
    _Standard = standard.SSLObject if HAS_STANDARD else object

Result = TypeVar("Result")


_ATTRIBUTE = "sslobject_class"

# The contexts that are prepared, and what each of them had of its own.
_prepared: list[tuple[ref[Any], dict[str, Any]]] = []


def keep_working() -> None:
    """Prepares every standard context that exists. It stays what it is, and does the same as before. Since 0.1."""
    for found in get_objects() if HAS_STANDARD else ():
        # By the native class, because ours pass for the other.
        is_standard = is_a(found, standard._SSLContext)  # type: ignore[attr-defined]
        if is_standard and _objects_class(found) is standard.SSLObject:
            attributes = _attributes(found)
            had = {name: value for name, value in attributes.items() if name == _ATTRIBUTE}
            _prepared.append((ref(found), had))
            attributes[_ATTRIBUTE] = OlderObject


def stop() -> None:
    """The end of that; connections that are there go on. Since 0.1."""
    while _prepared:
        reference, had = _prepared.pop()
        context = reference()
        if context is not None and _attributes(context).get(_ATTRIBUTE) is OlderObject:
            del _attributes(context)[_ATTRIBUTE]
            _attributes(context).update(had)


def _attributes(context: Any) -> dict[str, Any]:
    # Not through what a subclass of the program's has for its attributes, which may do anything.
    attributes: dict[str, Any] = object.__getattribute__(context, "__dict__")
    return attributes


def _objects_class(context: Any) -> Any:
    for attributes in (_attributes(context), *map(vars, type(context).__mro__)):
        if _ATTRIBUTE in attributes:
            return attributes[_ATTRIBUTE]
    return None


class OlderObject(_Standard):
    """A standard SSLObject that takes either kind of MemoryBIO."""

    __module__ = "wiretight"

    # Where they are wiretight's, the object under this one has a standard MemoryBIO each in their place.
    _incoming: MemoryBIO | None = None
    _outgoing: MemoryBIO | None = None
    _inner_incoming: standard.MemoryBIO
    _inner_outgoing: standard.MemoryBIO

    @classmethod
    def _create(cls, incoming: Any, outgoing: Any, *args: Any, **kwargs: Any) -> OlderObject:
        inner = [standard.MemoryBIO() if is_a(bio, MemoryBIO) else bio for bio in (incoming, outgoing)]
        self: OlderObject = super()._create(*inner, *args, **kwargs)  # type: ignore[misc]
        self._inner_incoming, self._inner_outgoing = inner
        self._incoming = incoming if is_a(incoming, MemoryBIO) else None
        self._outgoing = outgoing if is_a(outgoing, MemoryBIO) else None
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
