"""No method of the standard library's classes is inherited: wiretight implements everything itself."""

from __future__ import annotations

import ssl as standard
import sys
from typing import Any

import pytest

import wiretight

# Every class written in Python has it; it is where an object's attributes are.
OF_THE_LANGUAGE = {"__dict__", "__weakref__"}
# Read by load_default_certs() on Windows, and by nobody else.
OF_WINDOWS = {"_load_windows_store_certs", "_windows_cert_stores"}


def provider(cls: type, name: str) -> type:
    """The class whose attribute one gets."""
    return next(base for base in cls.__mro__ if name in vars(base))


def standards_own(cls: type) -> list[Any]:
    """The attributes that `ssl` adds to those of a socket or an object."""
    return [
        pytest.param(cls.__name__, name, id=f"{cls.__name__}.{name}")
        for name in dir(cls)
        if provider(cls, name).__module__ == "ssl" and name not in OF_THE_LANGUAGE
    ]


@pytest.mark.parametrize(("kind", "name"), [*standards_own(standard.SSLSocket), *standards_own(standard.SSLObject)])
def test_an_attribute_is_ours(kind: str, name: str) -> None:
    assert provider(getattr(wiretight, kind), name).__module__.startswith("wiretight")


@pytest.mark.parametrize("kind", ["SSLSocket", "SSLObject"])
def test_other_attributes_are_those_of_a_socket_or_an_object(kind: str) -> None:
    ours = getattr(wiretight, kind)
    others = {provider(ours, name).__module__ for name in dir(ours) if name not in OF_THE_LANGUAGE}
    assert {module for module in others if not module.startswith("wiretight")} <= {"socket", "_socket", "builtins"}


@pytest.mark.parametrize("name", sorted(set(dir(standard.SSLContext)) - OF_THE_LANGUAGE))
def test_a_context_defines_every_attribute_itself(name: str) -> None:
    if name in OF_WINDOWS and sys.platform != "win32":
        return
    assert provider(wiretight.SSLContext, name).__module__ in {"wiretight", "builtins"} | {
        module for module in sys.modules if module.startswith("wiretight.")
    }


def test_a_context_has_no_standard_base_class() -> None:
    assert not [base for base in wiretight.SSLContext.__mro__ if base.__module__ in {"ssl", "_ssl"}]
