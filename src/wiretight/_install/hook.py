"""Hook: a method of a class that is not ours, replaced for a while."""

from __future__ import annotations

from typing import Any

_ABSENT = object()


class Hook:
    """`function` in place of a method of `owner`, until it is removed; it gets the method, and then its arguments."""

    def __init__(self, owner: Any, name: str, function: Any) -> None:
        self._owner = owner
        self._name = name
        self._own = vars(owner).get(name, _ABSENT)
        before = getattr(owner, name)
        self._active = True

        def hooked(this: Any, *args: Any, **options: Any) -> Any:
            if self._active:
                return function(before, this, *args, **options)
            return before(this, *args, **options)  # somebody has put something around this one, and it is still called

        self._hooked = hooked
        setattr(owner, name, hooked)

    def remove(self) -> None:
        """Takes ours away, and nobody else's. Since 0.1."""
        self._active = False
        if vars(self._owner).get(self._name) is not self._hooked:
            return
        if self._own is _ABSENT:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._own)
