"""Passing for the standard library's classes: what lets isinstance() take the one kind for the other."""

from __future__ import annotations

import abc


class TakesStandard(abc.ABCMeta):
    """isinstance(x, cls) is also true of the standard library's instances, if the class names theirs as `_counterpart`.

    A program in which install() came late has both kinds, and asks with our class.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        counterpart = vars(cls).get("_counterpart")  # not that of a base: subclasses of ours are nothing but ours
        return counterpart is not None and isinstance(instance, counterpart)
