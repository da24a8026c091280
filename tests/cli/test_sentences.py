"""The sentences for the errors of a connection."""

from __future__ import annotations

import pytest

from wiretight import ALERT_DESCRIPTION_UNKNOWN_CA, SSLCertVerificationError, SSLError, VerifyCode, VerifyError
from wiretight._cli.connect.reasons import reasons
from wiretight._cli.errors import what_happened


@pytest.mark.parametrize("kind", [ConnectionResetError, BrokenPipeError])
def test_a_reset_is_reported_by_its_alert(kind: type[OSError]) -> None:
    error = kind("gone")
    assert what_happened(error) == "closed the connection abruptly"
    alert = SSLError(1, "alert")
    alert.alert, alert.alert_sent = ALERT_DESCRIPTION_UNKNOWN_CA, False
    error.__cause__ = alert
    assert what_happened(error) == "does not trust the certificate that it was shown"


@pytest.mark.parametrize("code", VerifyCode, ids=lambda code: code.name)
def test_each_error_of_a_certificate_is_a_sentence_or_says_its_number(code: VerifyCode) -> None:
    error = SSLCertVerificationError(1, "refused")
    error.verify_errors, error.peer_chain = (VerifyError(code, 0, "words of OpenSSL", None),), ()
    [sentence] = reasons(error, "example.org")
    assert sentence == f"words of OpenSSL (X509_V_ERR {code})" or not {"{", "}", "words"} & set(sentence.split())
    assert sentence[-1] != "."


def test_the_errors_that_a_server_can_cause_have_sentences_of_their_own() -> None:
    error = SSLCertVerificationError(1, "refused")
    error.peer_chain = ()
    error.verify_errors = tuple(VerifyError(code, 0, "words of OpenSSL", None) for code in VerifyCode)
    without = [sentence for sentence in reasons(error, "example.org") if "words of OpenSSL" in sentence]
    assert 0 < len(without) < 60
