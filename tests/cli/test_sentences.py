"""The sentences for the errors of a connection."""

from __future__ import annotations

import pytest

from wiretight import SSLError
from wiretight._cli.errors import what_happened


@pytest.mark.parametrize("kind", [ConnectionResetError, BrokenPipeError])
def test_a_reset_is_reported_by_its_alert(kind: type[OSError]) -> None:
    error = kind("gone")
    assert what_happened(error) == "closed the connection abruptly"
    error.__cause__ = SSLError(1, "alert")
    error.__cause__.reason = "TLSV1_ALERT_UNKNOWN_CA"
    assert what_happened(error) == "does not trust the certificate that it was shown"
