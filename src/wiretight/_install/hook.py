"""Hook: a temporarily replaced method of somebody else's class."""

from __future__ import annotations

import functools
from inspect import iscoroutinefunction
from typing import Any

_ABSENT = object()


class Hook:
    """`function` in place of a method of `owner` until removed; it gets the method, and then its arguments."""

    def __init__(self, owner: Any, name: str, function: Any) -> None:
        self._owner = owner
        self._name = name
        self._own = vars(owner).get(name, _ABSENT)
        before = getattr(owner, name)
        self._active = True

        def chosen(this: Any, *args: Any, **options: Any) -> Any:
            if self._active:
                return function(before, this, *args, **options)
            return before(this, *args, **options)  # removed, but somebody has wrapped it, and still calls it

        async def awaited(*args: Any, **options: Any) -> Any:
            return await chosen(*args, **options)

        # Whoever makes a double of it, for a test, finds its name, its signature, and whether to await it.
        itself = awaited if iscoroutinefunction(before) else chosen
        self._hooked = functools.update_wrapper(itself, before, ("__name__", "__qualname__", "__doc__"))
        setattr(owner, name, self._hooked)

    def remove(self) -> None:
        """Restores the method, unless somebody else has replaced it meanwhile. Since 0.1."""
        self._active = False
        if vars(self._owner).get(self._name) is not self._hooked:
            return
        if self._own is _ABSENT:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._own)
