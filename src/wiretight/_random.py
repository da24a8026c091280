"""The random generator of OpenSSL. Python's own `secrets` is the better choice in new code."""

# ruff: noqa: N802  the names are those of `ssl`

from __future__ import annotations

import os
from typing import Any

from wiretight._errors import HAS_STANDARD, standard

if HAS_STANDARD:
    RAND_add = standard.RAND_add
    RAND_bytes = standard.RAND_bytes
    RAND_status = standard.RAND_status
else:
    RAND_bytes = os.urandom

    def RAND_add(string: Any, entropy: float, /) -> None:
        """Nothing: the system's generator needs no help. Since 0.1."""

    def RAND_status() -> bool:
        """True: the system's generator is always seeded. Since 0.1."""
        return True
