"""Passing for the standard library's classes: isinstance() accepts either kind for the other."""

from __future__ import annotations

import abc


class TakesStandard(abc.ABCMeta):
    """isinstance(x, cls) is also true of instances of the standard library's class, which `_counterpart` names.

    A program that called install() late has both kinds, and checks with our class.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        counterpart = vars(cls).get("_counterpart")  # not inherited: an instance of our subclass is always ours
        return counterpart is not None and isinstance(instance, counterpart)
