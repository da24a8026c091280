"""What install() cannot reach: references to the standard `ssl` in the modules that are loaded."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import FunctionType, MappingProxyType
from typing import Any, NamedTuple

from wiretight._errors import HAS_STANDARD, standard
from wiretight._install import namespaces, replacements

# Extension modules that keep what they import from `ssl` where nothing in Python can see or change it.
_NATIVE_USERS = {
    "uvloop.loop": "its transports accept a wiretight context, and make their MemoryBIO with the standard ssl",
    "winloop.loop": "its transports accept a wiretight context, and make their MemoryBIO with the standard ssl",
    "aiofastnet.ssl_engine_direct": "it drives the interpreter's own OpenSSL",
}


class Stale(NamedTuple):
    """Where a reference is ("module.name"), what it refers to ("ssl.SSLContext"), and what kind of place it is."""

    where: str
    refers_to: str
    kind: str


def stale_references() -> list[Stale]:
    """The references that stand for the standard `ssl` although wiretight is installed, in order of their places.

    It looks at the globals of every loaded module, into the containers and classes there, at default arguments and
    closures, base classes, contexts that were made before, and extension modules known to keep references of their own.
    Since 0.1.
    """
    found = set(_Search().run())
    found.update(Stale(name, why, "extension module") for name, why in _NATIVE_USERS.items() if name in sys.modules)
    return sorted(found)


class _Search:
    """One walk through the loaded modules."""

    def __init__(self) -> None:
        self.replaced = replacements()
        self.instances: tuple[type, ...] = (standard.SSLContext,) if HAS_STANDARD else ()

    def run(self) -> Iterator[Stale]:
        for module, namespace in namespaces():
            for name, value in namespace.copy().items():  # type: ignore[attr-defined]
                if not name.startswith("__"):
                    yield from self.look(f"{module}.{name}", value, module, "global")

    def look(self, where: str, value: Any, module: str, kind: str) -> Iterator[Stale]:
        yield from self.referred(where, value, kind)
        if type(value) in (list, tuple, set, frozenset, dict):
            for item in tuple(value.values() if type(value) is dict else value):
                yield from self.referred(where, item, f"{kind}, in a {type(value).__name__}")
        elif isinstance(value, FunctionType):
            yield from self.function(where, value)
        elif isinstance(value, type) and value.__module__ == module:
            yield from self.klass(where, value)

    def klass(self, where: str, value: type) -> Iterator[Stale]:
        for base in value.__bases__:
            yield from self.referred(where, base, "base class")
        for name, member in MappingProxyType(value.__dict__).items():
            plain = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            if isinstance(plain, FunctionType):
                yield from self.function(f"{where}.{name}", plain)
            elif name != "__class__":
                yield from self.referred(f"{where}.{name}", plain, "class attribute")

    def function(self, where: str, value: FunctionType) -> Iterator[Stale]:
        for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            yield from self.referred(where, default, "default argument")
        for name, content in inspect.getclosurevars(value).nonlocals.items() if value.__closure__ else ():
            yield from self.referred(f"{where}.{name}", content, "closure")

    def referred(self, where: str, value: Any, kind: str) -> Iterator[Stale]:
        if id(value) in self.replaced:
            name = getattr(value, "__qualname__", "") or value.__name__
            yield Stale(where, name if name in ("ssl", "_ssl") else f"ssl.{name}", kind)
        elif issubclass(type(value), self.instances):  # asks the object's type: ours answers isinstance() too
            yield Stale(where, "a context of the standard ssl", kind)
