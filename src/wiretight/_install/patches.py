"""What a program has put into the standard `ssl`: nothing calls it after install(), and it may be what verifies."""

from __future__ import annotations

from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType
from typing import Any

from wiretight._install.references import entries, is_a, made_in, members, own_modules
from wiretight._standard.errors import HAS_STANDARD, standard

# Where that comes from which is in the module, and in its classes, from the beginning.
_SOURCES = ("ssl", "_ssl", "socket", "_socket")
_CLASSES = ("SSLContext", "SSLSocket", "SSLObject")


def patches(kept: Any) -> list[str]:
    """The names of functions, classes and members of classes that are a program's, sorted; but for those in `kept`.

    What wiretight has by the same name would take their places. Since 0.1.
    """
    return sorted(_search(kept)) if HAS_STANDARD else []


def _search(kept: Any) -> Iterator[str]:
    ours = vars(own_modules()[0])
    for name, value in entries(vars(standard)):
        if name not in kept and ours.get(name, value) is not value and callable(value) and not _is_from_there(value):
            yield f"ssl.{name}"
    for kind in _CLASSES:
        for name, member in entries(members(vars(standard)[kind])):
            if not (_is_pythons(name, member) or all(_is_from_there(part) for part in _parts(member))):
                yield f"ssl.{kind}.{name}"


def _parts(member: Any) -> list[Any]:
    """The functions of a member of a class, or the member itself."""
    if is_a(member, property):
        return [part for part in (member.fget, member.fset, member.fdel) if part is not None]
    if is_a(member, classmethod, staticmethod):
        return [member.__func__]
    return [member]


def _is_pythons(name: str, member: Any) -> bool:
    """Whether any class has such a member, or the class on Windows alone uses it."""
    return name == "_windows_cert_stores" or (name.startswith("__") and not callable(member))


def _is_from_there(value: Any) -> bool:
    if is_a(value, FunctionType):  # functools.wraps() copies __module__
        module = value.__globals__.get("__name__")
        return module in _SOURCES or str(module).startswith("wiretight.")
    return is_a(value, type, BuiltinFunctionType) and made_in(value) in _SOURCES
