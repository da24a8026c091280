"""What has to work with every library, whichever way it comes to wiretight."""

from __future__ import annotations

import gc
import hashlib
import random
import sys

import pytest

from tests.ecosystem.table import every_exchange

pytestmark = [pytest.mark.parametrize(("exchange", "way"), list(every_exchange()))]
if sys.version_info < (3, 11):
    # Its asyncio takes a transport for unclosed that was closed by its peer, or whose handshake failed.
    pytestmark += [
        pytest.mark.filterwarnings("ignore:unclosed transport <asyncio.sslproto:ResourceWarning"),
        pytest.mark.usefixtures("collected"),
    ]

DATA = random.Random(0).randbytes(10 << 20)


def everything_said(error: BaseException | None) -> str:
    """An error, what it came from, and what it is a group of: libraries wrap what ssl raises in errors of their own."""
    if error is None:
        return ""
    inner = [error.__cause__ or error.__context__, *getattr(error, "exceptions", ())]
    return "\n".join([f"{type(error).__name__}: {error}", *map(everything_said, inner)])


def refusal(meet, **options) -> str:
    """What the client says. What its library has left open is collected here: it is not a later test's."""
    with pytest.raises(Exception) as refused:  # noqa: PT011  each library has its own
        meet(b"hello", **options)
    said = everything_said(refused.value)
    del refused
    gc.collect()
    return said


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
