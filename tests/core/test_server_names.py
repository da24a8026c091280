"""The name that a client requests reaches sni_callback whole, or the handshake fails."""

from __future__ import annotations

import ssl as standard
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.test_virtual_hosts import inner, outer, shaken
from tests.incidents.references import reference
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.records import Record
from tests.kit.subject import tls

pytestmark = reference("RFC 6066, 3")

__all__ = ["inner", "outer"]  # fixtures

TLS12 = tls.TLSVersion.TLSv1_2

EXTENSION = b"\x00\x00" + (len(HOST) + 5).to_bytes(2, "big")
LIST = (len(HOST) + 3).to_bytes(2, "big") + b"\x00" + len(HOST).to_bytes(2, "big") + HOST.encode()


def altering(list_: bytes) -> Callable[[Record], bytes]:
    """Puts another list of names into the ClientHello: of the same length."""
    return lambda record: record.raw.replace(EXTENSION + LIST, EXTENSION + list_)


MALFORMED = pytest.mark.parametrize(
    ("list_", "alert"),
    [
        pytest.param((len(HOST) + 2).to_bytes(2, "big") + LIST[2:], "DECODE_ERROR", id="list-too-short"),
        pytest.param((len(HOST) + 9).to_bytes(2, "big") + LIST[2:], "DECODE_ERROR", id="list-too-long"),
        pytest.param(LIST[:2] + b"\x01" + LIST[3:], "DECODE_ERROR", id="another-type"),
        pytest.param(LIST[:3] + b"\xff\xff" + LIST[5:], "DECODE_ERROR", id="name-too-long"),
        pytest.param(LIST[:3] + b"\x00\x01" + LIST[5:], "DECODE_ERROR", id="bytes-behind-the-name"),
        pytest.param(LIST[:-1] + b"\x00", "UNRECOGNIZED_NAME", id="null-character"),
    ],
)


@reference("RFC 8446, 6.2")
@pytest.mark.parametrize("module", [tls, standard], ids=lambda module: module.__name__)
@MALFORMED
def test_a_malformed_name_ends_the_handshake_before_the_callback(
    certificates: Certificates, version: Any, module: Any, list_: bytes, alert: str
) -> None:
    """With the alert and the reason of `ssl`."""
    called = []
    server_context = certificates.server_context(version, module=module)
    server_context.sni_callback = lambda side, name, context: called.append(name)
    failure = Pair(certificates.client_context(version), server_context).until_error(alter=altering(list_))
    assert (failure.side, failure.error.reason) == ("server", "BAD_EXTENSION")
    assert alert in str(failure.peer_error)
    assert not called


@reference("RFC 5246, 7.4.1.4", "RFC 6066, 3")
@MALFORMED
def test_no_session_is_resumed_under_a_malformed_name(certificates: Certificates, list_: bytes, alert: str) -> None:
    """OpenSSL by itself looks less closely at the name then. (With TLS 1.3 a changed ClientHello resumes nothing.)"""
    called = []
    server_context = certificates.server_context(TLS12)
    server_context.sni_callback = lambda side, name, context: called.append(name)
    client_context = certificates.client_context(TLS12)
    session = shaken(client_context, server_context).client.session
    failure = Pair(client_context, server_context, session=session).until_error(alter=altering(list_))
    assert (failure.side, failure.error.reason) == ("server", "BAD_EXTENSION")
    assert called == [HOST]


@reference("RFC 6066, 3")
@pytest.mark.parametrize("module", [tls, standard], ids=lambda module: module.__name__)
def test_a_non_ascii_name_ends_the_handshake_too(
    certificates: Certificates, version: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda report: reports.append(type(report.exc_value)))
    called = []
    server_context = certificates.server_context(version, module=module)
    server_context.sni_callback = lambda side, name, context: called.append(name)
    failure = Pair(certificates.client_context(version), server_context).until_error(
        alter=altering(LIST[:-1] + b"\xff")
    )
    assert (failure.side, failure.error.reason) == ("server", "CALLBACK_FAILED")
    assert "INTERNAL_ERROR" in str(failure.peer_error)
    assert reports == [UnicodeDecodeError]
    assert not called


@pytest.mark.parametrize("name", [None, ADDRESS, HOST, HOST.upper()])
def test_the_callback_is_called_for_every_requested_name(
    certificates: Certificates, version: Any, outer: Any, name: str | None
) -> None:
    called = []
    choose = outer.sni_callback
    outer.sni_callback = lambda side, name, context: (called.append(name), choose(side, name, context))[1]
    client_context = certificates.client_context(version)
    client_context.check_hostname = name is not None
    pair = Pair(client_context, outer, server_hostname=name)
    pair.handshake()
    assert called == [None if name == ADDRESS else name]
    assert pair.server.context is outer.inner
