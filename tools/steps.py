"""What is tried of a platform, step by step: for tools/platforms.py."""

from typing import NamedTuple


class Step(NamedTuple):
    """One thing that was tried."""

    what: str
    outcome: str
    ok: bool | None  # None: it could not be tried
    versions: str = ""  # of Python and OpenSSL there
