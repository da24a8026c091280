"""Seconds: how a context's limits of time are checked."""

from __future__ import annotations

_LONGEST = 0x7FFFFFFF  # 68 years: what a socket may be told on every system


def seconds_or_none(name: str, value: float | None, *, zero: bool = False) -> float | None:
    """As seconds(); or None. Since 0.1."""
    return None if value is None else _checked(name, value, zero, ", or None")


def seconds(name: str, value: float, *, zero: bool = False) -> float:
    """The value for the attribute `name` as a float. Since 0.1.

    Raises ValueError for what is no positive number (with `zero`: or 0) or more than 68 years, TypeError for what is no
    number.
    """
    return _checked(name, value, zero, "")


def _checked(name: str, value: float, zero: bool, otherwise: str) -> float:
    what = f"a number of seconds from 0 to {_LONGEST}" if zero else f"a positive number of seconds, at most {_LONGEST}"
    problem = f"{name} must be {what}{otherwise}, not {value!r}"
    try:
        fits = 0 < value <= _LONGEST or (zero and value == 0)
    except TypeError:
        raise TypeError(problem) from None
    if not fits:
        raise ValueError(problem)
    return float(value)
