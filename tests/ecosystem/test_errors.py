"""The alert of a failed connection is to be found behind the exceptions that libraries raise."""

from __future__ import annotations

import ssl as standard
from collections.abc import Callable
from typing import Any

import pytest

from tests.ecosystem.families import aiohttp, http
from tests.ecosystem.terms import HANDED, Terms
from tests.kit.certificates import Certificates
from tests.kit.servers import Server
from tests.kit.subject import tls
from wiretight import Certificate

CLIENTS = {"requests": http.requests_client, "httpx": http.httpx_client, "aiohttp": aiohttp.client}


def behind(error: Any) -> standard.SSLError | None:
    """The SSLError from which this exception came."""
    if isinstance(error, standard.SSLError) and hasattr(error, "alert"):  # aiohttp's own is one, too
        return error
    inner = [*getattr(error, "args", ()), getattr(error, "reason", None), error.__cause__, error.__context__]
    found = [behind(each) for each in inner if isinstance(each, BaseException)]
    return next((each for each in found if each is not None), None)


@pytest.mark.parametrize("name", CLIENTS)
def test_the_alert_is_behind_the_exception_of(name: str, certificates: Certificates) -> None:
    pytest.importorskip(name, reason="pip install --group ecosystem")
    client: Callable[..., bytes] = CLIENTS[name]
    context = certificates.server_context()
    context.sni_callback = lambda *_: tls.ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL
    terms = Terms(HANDED, tls, certificates, None, certificates.ca_file)
    with Server(context, errors_ok=True) as server:
        with pytest.raises(Exception) as raised:  # noqa: PT011  each library has its own
            client(terms, server.port, b"hello")
        found = server.next_error()
    told = behind(raised.value)
    assert told is not None
    assert (told.alert, told.alert_sent) == (tls.ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL, False)
    assert (found.alert, found.alert_sent) == (tls.ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL, True)


@pytest.mark.parametrize("name", CLIENTS)
def test_the_chain_and_what_is_wrong_with_it_are_behind_the_exception_of(name: str, certificates: Certificates) -> None:
    pytest.importorskip(name, reason="pip install --group ecosystem")
    terms = Terms(HANDED, tls, certificates, None, certificates.ca_file)
    with Server(certificates.server_context(credentials=certificates.server_of_other_ca), errors_ok=True) as server:
        with pytest.raises(Exception) as raised:  # noqa: PT011  each library has its own
            CLIENTS[name](terms, server.port, b"hello")
    told: Any = behind(raised.value)
    assert told.peer_chain[0] == Certificate.from_pem(certificates.server_of_other_ca.chain.read_text())
    assert [error.certificate for error in told.verify_errors] == [told.peer_chain[0]] * len(told.verify_errors)
    assert told.verify_errors[0].code == told.verify_code
    assert (told.alert, told.alert_sent) == (standard.AlertDescription.ALERT_DESCRIPTION_UNKNOWN_CA, True)
