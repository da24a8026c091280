"""A native object created without its constructor raises or works: it never crashes the process."""

from __future__ import annotations

import gc
import subprocess
import sys
import warnings
from operator import eq
from typing import Any

import pytest

import wiretight
import wiretight.asyncio
from tests.kit.threads import PATIENCE
from wiretight import _core

PROGRAM = """
import asyncio, sys
from tests.core.test_unmade import ODD, classes, made_of, named, use

cls = named(sys.argv[1])
for arguments in ODD + [(other,) for other in made_of(classes())]:
    for options in ({}, {"fd": -1}, {"origin": None}):
        try:
            made = cls.__new__(cls, *arguments, **options)
        except (TypeError, ValueError, OverflowError):
            continue
        use(made)
    try:
        made = cls(*arguments)
    except Exception:
        continue
    use(made)
print("alive")
"""

ODD: list[tuple[Any, ...]] = [
    (),
    (None,),
    (0,),
    (2**40,),
    (-1, None, None),
    (-1, object(), object()),
    (wiretight.MemoryBIO(), wiretight.MemoryBIO()),
    (wiretight.PROTOCOL_TLS_CLIENT,),
    (b"", b""),
    ("x", None),
]


def classes() -> list[type]:
    """All that the native modules define, and those that a Python class adds methods to; but no named tuple.

    Its methods are Python's own: a tuple times 2**40 may be more than a machine has, and no more than it promises.
    """
    found = {wiretight.asyncio.Transport, wiretight.SSLSocket, wiretight.SSLObject, wiretight.SSLContext}
    for module in _core.MODULES:
        found |= {
            value
            for value in vars(sys.modules[f"wiretight._core.{module}"]).values()
            if isinstance(value, type)
            and value.__module__.startswith("wiretight._core.")
            and not issubclass(value, tuple)
        }
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))


def named(name: str) -> type:
    return next(cls for cls in classes() if f"{cls.__module__}.{cls.__qualname__}" == name)


def made_of(types: list[type]) -> list[Any]:
    """One of each that can be made without arguments: it may be the argument of another."""
    made = (attempt(cls.__new__, cls) for cls in types)
    return [it for it in made if it is not None]


def use(made: Any) -> None:
    """Reads and sets each attribute, and calls each method with arguments that it may or may not take."""
    for name in dir(type(made)):
        if name in {"__class__", "__new__", "__init_subclass__", "__subclasshook__", "__del__"}:
            continue
        attempt(setattr, made, name, None)
        attempt(setattr, made, name, made)
        attempt(delattr, made, name)
        found = attempt(getattr, made, name)
        if callable(found):
            for arguments in ODD:
                attempt(found, *arguments)
    for asked in (repr, hash, str, bool, iter, len):
        attempt(asked, made)
    attempt(eq, made, made)
    del made


def attempt(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception:
        return None


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.__qualname__)
def test_an_object_created_without_its_constructor_does_not_crash(cls, child_environment):
    ran = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", PROGRAM, f"{cls.__module__}.{cls.__qualname__}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=child_environment,
        stdin=subprocess.DEVNULL,
    )
    assert ran.stdout.endswith("alive\n"), f"{ran.returncode}: {ran.stderr[-3000:]}"


@pytest.mark.parametrize("size", [2**31, 2**40, -(2**31) - 1, 2**100])
def test_a_size_beyond_a_c_int_overflows(size):
    """As in `ssl`."""
    with pytest.raises(OverflowError):
        wiretight.MemoryBIO().read(size)


def test_a_context_that_is_being_made_is_nowhere_to_be_found(monkeypatch):
    """The number of its protocol, and a warning about that, run Python before it has settings."""
    found = []

    def look(*_, **__):
        found.extend(it for it in gc.get_objects() if _core_context in type(it).__mro__ and id(it) not in before)

    class Protocol:
        def __index__(self):
            look()
            return wiretight.PROTOCOL_TLS

    _core_context = next(kind for kind in wiretight.SSLContext.__mro__ if kind.__name__ == "Context")
    before = {id(it) for it in gc.get_objects() if _core_context in type(it).__mro__}
    monkeypatch.setattr("warnings.showwarning", look)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        made = _core_context(Protocol())
    assert found == []
    look()
    assert found == [made]
