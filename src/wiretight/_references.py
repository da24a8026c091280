"""References to the standard `ssl` in the modules that are loaded: those that can be rebound, and those that cannot."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from wiretight import _ssl
from wiretight._errors import HAS_STANDARD, standard

# Extension modules that keep what they import from `ssl` where nothing in Python can see or change it.
_NATIVE_USERS = {
    "uvloop.loop": "what it imported from ssl: it takes wiretight's contexts, under MemoryBIOs of the standard ssl",
    "winloop.loop": "what it imported from ssl: it takes wiretight's contexts, under MemoryBIOs of the standard ssl",
}


class Stale(NamedTuple):
    """Where a reference is ("module.name"), what it refers to ("ssl.SSLContext"), and what kind of place it is."""

    where: str
    refers_to: str
    kind: str


def own_modules() -> tuple[ModuleType, ModuleType]:
    """What stands for `ssl` and for `_ssl`. Since 0.1."""
    return sys.modules["wiretight"], _ssl


def namespaces() -> Iterator[tuple[str, dict[str, Any]]]:
    """The globals of every loaded module but the standard `ssl` and wiretight. Since 0.1."""
    loaded: dict[str, object] = {**sys.modules}  # a few programs put other things there
    for name, module in loaded.items():
        if isinstance(module, ModuleType) and module not in _standard_modules() and name.split(".")[0] != "wiretight":
            yield name, module.__dict__


def replacements() -> dict[int, tuple[Any, Any]]:
    """By its id, every object of the standard `ssl` for which wiretight has another, with that one. Since 0.1."""
    found: dict[int, tuple[Any, Any]] = {}
    for theirs, ours in zip(_standard_modules(), own_modules(), strict=False):
        found[id(theirs)] = theirs, ours
        for name, old in vars(theirs).items():
            new = vars(ours).get(name, old)
            if new is not old and isinstance(old, (type, FunctionType, BuiltinFunctionType)):
                found.setdefault(id(old), (old, new))
    return found


def replacement(value: Any, among: dict[int, tuple[Any, Any]]) -> Any:
    """What stands for `value`: its replacement, or for a tuple one with the replaced items; None for anything else."""
    if id(value) in among:
        return among[id(value)][1]
    if type(value) is tuple and any(id(item) in among for item in value):
        return tuple(among[id(item)][1] if id(item) in among else item for item in value)
    return None


def stale_references() -> list[Stale]:
    """The references to the standard `ssl` that install() cannot rebind, or has not, sorted by their places.

    It looks at the globals of every loaded module, into the containers and classes there, at default arguments and
    closures, base classes, and contexts made before; and names extension modules known to keep references of their own.
    Since 0.1.
    """
    found = set(_Search().run())
    found.update(Stale(name, what, "extension module") for name, what in _NATIVE_USERS.items() if name in sys.modules)
    return sorted(found)


def _standard_modules() -> tuple[ModuleType, ...]:
    return (standard, standard._ssl) if HAS_STANDARD else ()  # type: ignore[attr-defined]


class _Search:
    """One walk through the loaded modules."""

    def __init__(self) -> None:
        self.replaced = replacements()

    def run(self) -> Iterator[Stale]:
        for module, namespace in namespaces():
            for name, value in namespace.copy().items():
                if not name.startswith("__"):
                    yield from self.look(f"{module}.{name}", value, module)

    def look(self, where: str, value: Any, module: str) -> Iterator[Stale]:
        yield from self.referred(where, value, "global")
        if type(value) in (list, tuple, set, frozenset, dict):
            for item in tuple(value.values() if type(value) is dict else value):
                yield from self.referred(where, item, f"in a {type(value).__name__}")
        elif isinstance(value, FunctionType):
            yield from self.function(where, value)
        elif isinstance(value, type) and value.__module__ == module:
            yield from self.members(where, value)

    def members(self, where: str, owner: type) -> Iterator[Stale]:
        for base in owner.__bases__:
            yield from self.referred(where, base, "base class")
        for name, member in tuple(vars(owner).items()):
            plain = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            if isinstance(plain, FunctionType):
                yield from self.function(f"{where}.{name}", plain)
            else:
                yield from self.referred(f"{where}.{name}", plain, "class attribute")

    def function(self, where: str, function: FunctionType) -> Iterator[Stale]:
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            yield from self.referred(where, default, "default argument")
        if function.__closure__:
            for name, content in inspect.getclosurevars(function).nonlocals.items():
                yield from self.referred(f"{where}, {name}", content, "closure")

    def referred(self, where: str, value: Any, kind: str) -> Iterator[Stale]:
        if id(value) in self.replaced:
            name: str = value.__name__
            yield Stale(where, name if name in ("ssl", "_ssl") else f"ssl.{name}", kind)
        elif HAS_STANDARD and issubclass(type(value), standard.SSLContext):  # isinstance() would believe __class__
            yield Stale(where, "a context that the standard ssl made", kind)
