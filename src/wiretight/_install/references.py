"""References to the standard `ssl` in loaded modules: those that can be rebound, and those that cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from wiretight import _ssl
from wiretight._standard.errors import HAS_STANDARD, standard

# Extension modules that keep what they import from `ssl` where Python code can neither see nor change it.
_NATIVE_USERS = {
    "uvloop.loop": "what it imported from ssl: it accepts wiretight's contexts, with MemoryBIOs of the standard ssl",
    "winloop.loop": "what it imported from ssl: it accepts wiretight's contexts, with MemoryBIOs of the standard ssl",
}


class Stale(NamedTuple):
    """The place of a reference ("module.name"), its target ("ssl.SSLContext"), and the kind of place."""

    where: str
    refers_to: str
    kind: str


# These bypass attribute access, which loads a lazy module (importlib.util.LazyLoader), and may fail on a proxy.
_NAMESPACE: Any = vars(ModuleType)["__dict__"]
_MEMBERS: Any = vars(type)["__dict__"]
_BASES: Any = vars(type)["__bases__"]


def own_modules() -> tuple[ModuleType, ModuleType]:
    """The replacements of `ssl` and `_ssl`. Since 0.1."""
    return sys.modules["wiretight"], _ssl


def namespace(module: object) -> dict[str, Any]:
    """The globals of a module; empty for anything else. Since 0.1."""
    return (_NAMESPACE.__get__(module) if is_a(module, ModuleType) else None) or {}


def namespaces() -> Iterator[tuple[str, dict[str, Any]]]:
    """sys.modules, and the globals of every loaded module but the standard `ssl` and wiretight. Since 0.1."""
    yield "sys.modules", sys.modules
    loaded = entries(sys.modules)
    excluded = {id(module) for module in _standard_modules()}
    excluded.update(id(module) for name, module in loaded if name.partition(".")[0] == "wiretight")
    for name, module in loaded:  # some programs put other objects there
        if id(module) not in excluded:
            yield name, namespace(module)


def entries(among: Any) -> list[tuple[str, Any]]:
    """A snapshot of a namespace's names and values: other threads may change it meanwhile. Since 0.1."""
    return [(name, value) for name, value in among.copy().items() if type(name) is str]


def members(owner: type) -> Any:
    """What a class has itself, by name. Since 0.1."""
    return _MEMBERS.__get__(owner)


def is_a(value: object, *kinds: type) -> bool:
    """isinstance() by the real type of `value`, whatever a proxy's __class__ claims. Since 0.1."""
    return issubclass(type(value), kinds)


def replacements() -> dict[int, tuple[Any, Any]]:
    """By id, every object of the standard `ssl` that wiretight replaces, with its replacement.

    Objects that a program has put into the standard `ssl` itself are not among them. Since 0.1.
    """
    found: dict[int, tuple[Any, Any]] = {}
    for theirs, ours in zip(_standard_modules(), own_modules(), strict=False):
        found[id(theirs)] = theirs, ours
        for name, old in entries(vars(theirs)):
            new = vars(ours).get(name, old)
            if (
                new is not old
                and is_a(old, type, FunctionType, BuiltinFunctionType)
                and made_in(old) in ("ssl", "_ssl")
            ):
                found.setdefault(id(old), (old, new))
    return found


def replacement(value: Any, among: dict[int, tuple[Any, Any]]) -> Any:
    """The replacement of `value`; for a tuple, one with its items replaced; None for anything else."""
    if id(value) in among:
        return among[id(value)][1]
    if type(value) is tuple and any(id(item) in among for item in value):
        return tuple(among[id(item)][1] if id(item) in among else item for item in value)
    return None


def stale_references() -> list[Stale]:
    """The references to the standard `ssl` that install() cannot rebind, or has not, sorted by place.

    It searches the globals of every loaded module, with their containers and classes, default arguments, closures, base
    classes and existing contexts, and lists extension modules that are known to keep references. Since 0.1.
    """
    found = set(_Search().run())
    found.update(Stale(name, what, "extension module") for name, what in _NATIVE_USERS.items() if name in sys.modules)
    return sorted(found)


def _standard_modules() -> tuple[ModuleType, ...]:
    return (standard, standard._ssl) if HAS_STANDARD else ()  # type: ignore[attr-defined]


def made_in(value: Any) -> object:
    """The name of the module that a class or function says it is from. Since 0.1."""
    return members(value).get("__module__") if is_a(value, type) else value.__module__


class _Search:
    """One search of the loaded modules."""

    def __init__(self) -> None:
        self.replaced = replacements()

    def run(self) -> Iterator[Stale]:
        for module, globals_ in namespaces():
            for name, value in entries(globals_):
                if not name.startswith("__"):
                    yield from self.search(f"{module}.{name}", value, module)

    def search(self, where: str, value: Any, module: str) -> Iterator[Stale]:
        yield from self.referred(where, value, "global")
        if type(value) in (list, tuple, set, frozenset, dict):
            for item in tuple(value.copy().values() if type(value) is dict else value):
                yield from self.referred(where, item, f"in a {type(value).__name__}")
        elif is_a(value, FunctionType):
            yield from self.function(where, value)
        elif is_a(value, type) and made_in(value) == module:
            yield from self.members(where, value)

    def members(self, where: str, owner: type) -> Iterator[Stale]:
        for base in _BASES.__get__(owner):
            yield from self.referred(where, base, "base class")
        for name, member in entries(members(owner)):
            plain = member.__func__ if is_a(member, classmethod, staticmethod) else member
            if is_a(plain, FunctionType):
                yield from self.function(f"{where}.{name}", plain)
            else:
                yield from self.referred(f"{where}.{name}", plain, "class attribute")

    def function(self, where: str, function: FunctionType) -> Iterator[Stale]:
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            yield from self.referred(where, default, "default argument")
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError:  # it is still empty
                continue
            yield from self.referred(f"{where}, {name}", content, "closure")

    def referred(self, where: str, value: Any, kind: str) -> Iterator[Stale]:
        if id(value) in self.replaced:
            name: str = value.__name__
            yield Stale(where, name if name in ("ssl", "_ssl") else f"ssl.{name}", kind)
        elif HAS_STANDARD and is_a(value, standard._SSLContext):  # type: ignore[attr-defined]  # as in older_contexts
            yield Stale(where, "a context that the standard ssl made", kind)
