"""The life of a context: copies of it, also in another process, and its end as something that can be changed."""

from __future__ import annotations

from copyreg import _slotnames  # type: ignore[attr-defined]

from wiretight._core.context import lifecycle
from wiretight._core.sslcontext import _SSLContext
from wiretight._standard.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class HasLifecycle:
    """copy(), freeze() and what pickle asks of SSLContext."""

    __slots__ = ()

    def copy(self) -> Self:
        """A context with the same settings, and with the same certificates, keys, trust and callbacks loaded.

        From then on the two are changed independently; a `trust_store` that was set is shared. A copy is not frozen.
        As a server it resumes no session of the other: each has its own cache and ticket keys. A `session_store` is
        shared, and each finds there what was verified as it would. Nothing is read from files again.

        In a subclass, __init__() is not called, and the copy has the same attributes, as with copy.copy();
        copy.deepcopy() copies them too, and shares what OpenSSL has loaded all the same. Since 0.1. Source: an addition
        to `ssl` (python/cpython#77204).
        """
        copied: Self = _copied(self)
        _set_attributes(copied, _attributes(self))
        return copied

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        from copy import deepcopy

        copied: Self = _copied(self)
        memo[id(self)] = copied
        _set_attributes(copied, deepcopy(_attributes(self), memo))
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: another process makes the context again.

        Files of certificates, keys and CRLs are read again there; what was loaded from memory, if it is public, is in
        the pickle.

        A frozen context is frozen there too. Nothing is shared. In a subclass,
        __init__() is not called, and the attributes are pickled.

        Raises TypeError for what no other process can have, or must not find in a pickle: a key from memory, the
        password of a key (a function that returns it is fine), and callbacks that are local functions. Since 0.1.
        Source: an addition to `ssl`.
        """
        from wiretight._tls.recipe import follow, made_again, recipe_of

        context: Any = self
        recipe, properties = recipe_of(context)
        recipe["attributes"] = _attributes(context)
        arguments = type(self), _SSLContext.protocol.__get__(context), properties
        return made_again, arguments, recipe, None, None, follow

    def freeze(self) -> Self:
        """Makes every later change of this context a RuntimeError, and returns the context.

        That goes for its settings, for what is loaded into it, and for its attributes. Setting a number or a list of
        names to what it is, as libraries do before each connection, is no change. Connections are made as before. There
        is no way back: change a copy() of it.

        A trust store that it was given goes on growing, for whoever keeps that. For a context that several threads or
        libraries share. Since 0.1. Source: an addition to `ssl`.
        """
        native: Any = self
        lifecycle.freeze(native)
        return self

    @property
    def frozen(self) -> bool:
        """Whether freeze() was called. Since 0.1. Source: an addition to `ssl`."""
        native: Any = self
        return lifecycle.is_frozen(native)


def _copied(context: Any) -> Any:
    """A copy without the attributes that Python keeps."""
    return _SSLContext.__new__(type(context), _SSLContext.protocol.__get__(context), context)


def _attributes(context: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(those in its dictionary, those in the slots of a program's classes)."""
    names = [name for name in _slotnames(type(context)) if hasattr(context, name)]
    return vars(context), {name: getattr(context, name) for name in names}


def _set_attributes(context: Any, named: tuple[dict[str, Any], dict[str, Any]]) -> None:
    # Past a program's __setattr__(), as copy and pickle do.
    dictionary, slots = named
    vars(context).update(dictionary)
    for name, value in slots.items():
        _SSLContext.__setattr__(context, name, value)
