"""What has to work with every library, whichever way it comes to wiretight."""

from __future__ import annotations

import hashlib
import random

import pytest

from tests.ecosystem.table import every_exchange

pytestmark = [
    pytest.mark.parametrize(("exchange", "way"), list(every_exchange())),
    # httpx leaves the generator of a body that it could not send to the garbage collector.
    pytest.mark.filterwarnings("ignore:Async generator 'httpx.*:ResourceWarning"),
]

DATA = random.Random(0).randbytes(10 << 20)


def everything_said(error: BaseException | None) -> str:
    """An error, what it came from, and what it is a group of: libraries wrap what ssl raises in errors of their own."""
    if error is None:
        return ""
    inner = [error.__cause__ or error.__context__, *getattr(error, "exceptions", ())]
    return "\n".join([f"{type(error).__name__}: {error}", *map(everything_said, inner)])


def refusal(meet, **options) -> str:
    with pytest.raises(Exception) as refused:  # noqa: PT011  each library has its own
        meet(b"hello", **options)
    return everything_said(refused.value)


def test_a_verified_connection_carries_data(meet):
    assert meet(b"hello") == b"hello"


def test_a_certificate_for_another_host_is_refused(meet, certificates):
    assert "Hostname mismatch" in refusal(meet, server=certificates.elsewhere)


def test_a_certificate_of_a_stranger_is_refused(meet, certificates):
    assert "unable to get local issuer certificate" in refusal(meet, server=certificates.server_of_other_ca)


def test_a_client_certificate_is_asked_for_and_shown(meet, certificates):
    assert meet(b"hello", ask_for_client=True, client=certificates.client) == b"hello"
    refusal(meet, ask_for_client=True)


def test_ten_mebibytes_come_back_unchanged(meet):
    assert hashlib.sha256(meet(DATA)).digest() == hashlib.sha256(DATA).digest()


def test_who_says_goodbye_with_the_standard_library_says_it_here(usual_goodbyes, meet):
    ((usual_client, usual_server),) = usual_goodbyes
    ((client, server),) = meet.goodbyes()
    assert client >= usual_client
    # Where a library shuts its socket down, wiretight says goodbye first; then the server has no error to send back.
    assert server >= usual_server or client > usual_client
