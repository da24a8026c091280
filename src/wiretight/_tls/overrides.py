"""Overrides: which socket classes read or send through a method of the program, and what super() finds behind ours."""

from __future__ import annotations

from itertools import takewhile

from wiretight._standard.passing import TakesStandard
from wiretight._standard.system import PlainSocket
from wiretight._standard.typing import Any

# recv(), recv_into() and files of makefile() use read(); sendall(), sendfile() and such files use send().
OVERRIDABLE = ("read", "send")
_WATCHED = (*OVERRIDABLE, "__getattribute__")  # which may give any method

_own: dict[str, Any] = {}  # our own methods, by name
_own_class: type | None = None  # the class that has them


class WatchesOverrides(TakesStandard):
    """Keeps in each class, as `_overridden`, whether the program may have overridden or patched its read() or send().

    It is updated when that changes: a check in every call would cost a fifth of a recv() of decrypted bytes. A mix-in
    before our class is an ordinary class, which may get such a method at any time without notice: then it is always
    true, and the method is looked up by name, whoever defined it.
    """

    _overridden: bool

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        """Gives our own class the methods of its mix-ins, which are behind the socket's in the order below."""
        if _own_class is None:  # it is being made
            for mixin in (kind for base in bases if not issubclass(base, PlainSocket) for kind in base.__mro__):
                for attribute, value in vars(mixin).items():
                    if not attribute.startswith("__"):
                        namespace.setdefault(attribute, value)
        return super().__new__(mcls, name, bases, namespace, **options)

    def mro(cls) -> list[type]:
        """The socket right behind our class, as in `ssl`, and the standard library's class last. Since 0.1.

        What a program calls by super(SSLSocket, self) is the socket's, to which the bytes are ciphertext. In the order
        of Python it would be the method of the standard class, which ends TLS in shutdown(), for one.
        """
        order = super().mro()
        if _own_class not in (None, cls):  # a program's class, for whose other bases the order is right, too
            return order
        sockets = [kind for kind in PlainSocket.__mro__ if kind is not object]
        return [cls, *sockets, *(kind for kind in order[1:] if kind not in sockets)]

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cls._update_overridden()

    def __setattr__(cls, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in _WATCHED or name == "__bases__":
            cls._update_overridden()

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        if name in _WATCHED:
            cls._update_overridden()

    def register_own_methods(cls) -> None:
        """Declares the current methods of this class to be our own. Since 0.1."""
        global _own_class  # noqa: PLW0603
        _own_class = cls
        _own.update({name: _defined(cls, name) for name in _WATCHED})
        cls._update_overridden()

    def _update_overridden(cls) -> None:
        if _own_class in cls.__mro__:  # and not a program's mix-in with this metaclass
            before_ours = takewhile(lambda kind: kind is not _own_class, cls.__mro__)
            cls._overridden = any(_defined(cls, name) is not own for name, own in _own.items()) or not all(
                isinstance(kind, WatchesOverrides) for kind in before_ours
            )
        subclasses: Any = cls.__subclasses__()
        for subclass in subclasses:
            subclass._update_overridden()


def overrides(sock: Any, name: str) -> bool:
    """Whether the program has overridden this method of a socket. Since 0.1."""
    if not sock._overridden:
        return False
    return name in vars(sock) or any(_defined(type(sock), it) is not _own[it] for it in (name, "__getattribute__"))


def _defined(kind: type, name: str) -> Any:
    """What a class has under the name, without running a descriptor of the program."""
    return next(vars(each)[name] for each in kind.__mro__ if name in vars(each))
