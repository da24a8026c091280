"""Contexts of the standard `ssl` from before install(): they keep working, over wiretight's MemoryBIO.

After install(), asyncio and similar libraries create a MemoryBIO of wiretight for every context, but a standard context
accepts only its own kind.
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

# The prepared contexts, and the attributes that they had themselves.
_prepared: list[tuple[ref[Any], dict[str, Any]]] = []


def prepare() -> None:
    """Prepares every existing standard context, whose class and behaviour stay the same. Since 0.1."""
    for found in get_objects() if HAS_STANDARD else ():
        # By the native class, because ours pass for the other one.
        is_standard = is_a(found, standard._SSLContext)  # type: ignore[attr-defined]
        if is_standard and _sslobject_class_of(found) is standard.SSLObject:
            attributes = _attributes(found)
            had = {name: value for name, value in attributes.items() if name == _ATTRIBUTE}
            _prepared.append((ref(found), had))
            attributes[_ATTRIBUTE] = OlderObject


def restore() -> None:
    """Reverts prepare(); open connections continue. Since 0.1."""
    while _prepared:
        reference, had = _prepared.pop()
        context = reference()
        if context is not None and _attributes(context).get(_ATTRIBUTE) is OlderObject:
            del _attributes(context)[_ATTRIBUTE]
            _attributes(context).update(had)


def _attributes(context: Any) -> dict[str, Any]:
    # Not through the attribute access of a program's subclass, which may do anything.
    attributes: dict[str, Any] = object.__getattribute__(context, "__dict__")
    return attributes


def _sslobject_class_of(context: Any) -> Any:
    for attributes in (_attributes(context), *map(vars, type(context).__mro__)):
        if _ATTRIBUTE in attributes:
            return attributes[_ATTRIBUTE]
    return None


class OlderObject(_Standard):
    """A standard SSLObject that accepts either kind of MemoryBIO."""

    __module__ = "wiretight"

    # If they are wiretight's, the standard object uses a standard MemoryBIO in place of each.
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
        self._run(super().do_handshake)

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        return self._run(super().read, len, buffer)

    def write(self, data: Any) -> int:
        return self._run(super().write, data)

    def unwrap(self) -> Any:
        return self._run(super().unwrap)

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
