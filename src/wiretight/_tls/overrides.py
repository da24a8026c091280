"""Overrides: which socket classes read or send through a method of the program."""

# ruff: noqa: N805  the first argument of a metaclass is a class

from __future__ import annotations

from wiretight._standard.passing import TakesStandard
from wiretight._standard.typing import Any

# recv(), recv_into() and files of makefile() use read(); sendall(), sendfile() and such files use send().
OVERRIDABLE = ("read", "send")

_own: dict[str, Any] = {}  # our own methods, by name


class WatchesOverrides(TakesStandard):
    """Keeps in each class, as `_overridden`, whether the program has overridden or patched its read() or send().

    It is updated when that changes: a check in every call would cost a fifth of a recv() of decrypted bytes.
    """

    _overridden: bool

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cls._update_overridden()

    def __setattr__(cls, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in OVERRIDABLE:
            cls._update_overridden()

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        if name in OVERRIDABLE:
            cls._update_overridden()

    def register_own_methods(cls) -> None:
        """Declares the current methods of this class to be our own. Since 0.1."""
        _own.update({name: getattr(cls, name) for name in OVERRIDABLE})
        cls._update_overridden()

    def _update_overridden(cls) -> None:
        cls._overridden = any(getattr(cls, name) is not own for name, own in _own.items())
        subclasses: Any = cls.__subclasses__()
        for subclass in subclasses:
            subclass._update_overridden()
