"""The standard library's `ssl` as a model: what tests that compare with it need of it."""

from __future__ import annotations

import ssl as standard
from typing import Any

import pytest

from tests.kit.subject import NAME

_REASON = (
    "the ssl of this Python takes a cut stream for its end and its own ciphers for shared ones: it is older than "
    "python/cpython#95494 and python/cpython#96931"
)
IS_DATED = bool(standard.SSLContext(standard.PROTOCOL_TLS_CLIENT).options & standard.OP_IGNORE_UNEXPECTED_EOF)
compares_with_ssl = pytest.mark.skipif(IS_DATED, reason=_REASON)
beside_ssl = pytest.mark.skipif(NAME == "installed", reason="after install(), ssl is what it would be compared with")


def needs_truncation_errors(*contexts: Any) -> None:
    """Skips the test if one of these contexts cannot tell a cut stream from one that has ended."""
    if any(context.options & standard.OP_IGNORE_UNEXPECTED_EOF for context in contexts):
        pytest.skip(_REASON)
