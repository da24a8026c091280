"""What is tried of a platform or a system, step by step: for tools/platforms.py and tools/machines.py."""

from collections.abc import Iterable
from typing import NamedTuple

from builders import OUT_OF_REACH


class Step(NamedTuple):
    """One thing that was tried."""

    what: str
    outcome: str
    ok: bool | None  # None: it could not be tried
    versions: str = ""  # of Python and OpenSSL there


def status(outcomes: Iterable[bool | None]) -> int:
    """The exit status after steps or rows with these `ok`: 1 where one failed, 77 where one could not be tried."""
    found = set(outcomes)
    return 1 if False in found else OUT_OF_REACH if None in found else 0
