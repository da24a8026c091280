"""Ids of parameters: the same in every process, so that several can share the tests (pytest-xdist)."""

from __future__ import annotations

import re


def stable(value: object) -> str:
    """repr() without the addresses of objects."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
