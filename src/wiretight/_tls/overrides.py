"""Which classes of sockets read and send by a method that a program has put there."""

# ruff: noqa: N805  the first argument of a metaclass is a class

from __future__ import annotations

from itertools import takewhile

from wiretight._standard.passing import TakesStandard
from wiretight._standard.typing import Any

# By read() go recv(), recv_into() and files of makefile(), by send() go sendall(), sendfile() and such files.
OVERRIDABLE = ("read", "send")
_WATCHED = (*OVERRIDABLE, "__getattribute__")  # which may give any method

_own: dict[str, Any] = {}  # by name, the methods that are no program's
_own_class: type | None = None  # which has them


class WatchesOverrides(TakesStandard):
    """Knows of each class, as `_overridden`, whether its read() or send() may be a program's, by a subclass or a patch.

    It is looked up when that changes: to look at every call would cost a fifth of a recv() of decrypted bytes. A mix-in
    that comes before our class is an ordinary class, which may get such a method at any time and tells nobody: there it
    is always true, and the method is called by its name, whosever it is.
    """

    _overridden: bool

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cls._look_for_overrides()

    def __setattr__(cls, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in _WATCHED or name == "__bases__":
            cls._look_for_overrides()

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        if name in _WATCHED:
            cls._look_for_overrides()

    def own_methods_are_these(cls) -> None:
        """What this class has now is no program's. Since 0.1."""
        global _own_class  # noqa: PLW0603
        _own_class = cls
        _own.update({name: getattr(cls, name) for name in _WATCHED})
        cls._look_for_overrides()

    def _look_for_overrides(cls) -> None:
        before_ours = takewhile(lambda kind: kind is not _own_class, cls.__mro__)
        cls._overridden = any(getattr(cls, name) is not own for name, own in _own.items()) or not all(
            isinstance(kind, WatchesOverrides) for kind in before_ours
        )
        subclasses: Any = cls.__subclasses__()
        for subclass in subclasses:
            subclass._look_for_overrides()


def overrides(sock: Any, name: str) -> bool:
    """Whether this method of a socket is a program's now. Since 0.1."""
    if not sock._overridden:
        return False
    return name in vars(sock) or any(getattr(type(sock), it) is not _own[it] for it in (name, "__getattribute__"))
