"""The sentences for the errors of a connection."""

from __future__ import annotations

import pytest

from wiretight import ALERT_DESCRIPTION_UNKNOWN_CA, SSLError
from wiretight._cli.errors import what_happened


@pytest.mark.parametrize("kind", [ConnectionResetError, BrokenPipeError])
def test_a_reset_is_reported_by_its_alert(kind: type[OSError]) -> None:
    error = kind("gone")
    assert what_happened(error) == "closed the connection abruptly"
    alert = SSLError(1, "alert")
    alert.alert, alert.alert_sent = ALERT_DESCRIPTION_UNKNOWN_CA, False
    error.__cause__ = alert
    assert what_happened(error) == "does not trust the certificate that it was shown"
