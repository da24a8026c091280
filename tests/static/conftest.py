"""What only a wiretight that brings its own OpenSSL can show."""

from __future__ import annotations

import pytest

from wiretight._core.base import tables


@pytest.fixture(autouse=True)
def own_openssl() -> None:
    if not tables.OPENSSL_STATIC:
        pytest.skip("this wiretight uses the system's OpenSSL; scripts/test --openssl 3.5 builds one with its own")
