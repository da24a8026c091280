"""A context with a trust store and a verify_callback, handed to the libraries that people use."""

from __future__ import annotations

import dataclasses
import ssl as standard
from collections.abc import Callable
from typing import Any

import pytest

import wiretight
from tests.ecosystem.families import aiohttp, http
from tests.ecosystem.terms import HANDED, Client, Terms
from tests.ecosystem.test_exchanges import everything_said
from tests.kit.certificates import Certificates
from wiretight import Certificate, SSLObject, SSLSocket, TrustStore, Verification

CLIENTS: dict[str, tuple[Client, str]] = {
    "requests": (http.requests_client, "requests"),
    "httpx": (http.httpx_client, "httpx"),
    "httpx-asyncio": (http.httpx_async_client("asyncio"), "httpx"),
    "aiohttp": (aiohttp.client, "aiohttp"),
}

Callback = Callable[[Any, Verification], None]


@dataclasses.dataclass(frozen=True)
class Judging(Terms):
    """A client whose context trusts by a store, and asks a callback."""

    callback: Callback
    crls: bytes | tuple[()] = ()

    @property
    def client_context(self) -> Any:
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
        context.trust_store = TrustStore(self.certificates.ca_file.read_text(), self.crls)
        context.verify_callback = self.callback
        return context


@pytest.fixture(params=CLIENTS)
def post(request: pytest.FixtureRequest, certificates: Certificates) -> Callable[..., bytes]:
    """Sends data with a library, and returns what comes back."""
    client, library = CLIENTS[request.param]
    pytest.importorskip(library, reason="pip install --group ecosystem")

    def post(callback: Callback, *, crls: bytes | tuple[()] = (), server: Any = None) -> bytes:
        theirs = Terms(HANDED, standard, certificates, server or certificates.server, None)
        with http.standard_server(theirs) as port:
            ours = Judging(HANDED, wiretight, certificates, None, certificates.ca_file, callback, crls)
            return client(ours, port, b"hello")

    return post


def refusal(post: Callable[..., bytes], *arguments: Any, **options: Any) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011  each library has its own
        post(*arguments, **options)
    return everything_said(caught.value)


def test_a_pinned_key_is_met(post: Callable[..., bytes], certificates: Certificates) -> None:
    pin = Certificate.from_pem(certificates.server.chain.read_text()).spki_sha256
    asked = []

    def check(connection: Any, verification: Verification) -> None:
        asked.append(type(connection))
        if verification.presented[0].spki_sha256 != pin:
            verification.refuse("its key is not pinned")

    assert post(check) == b"hello"
    assert set(asked) <= {SSLSocket, SSLObject}
    pin = bytes(32)
    assert "its key is not pinned" in refusal(post, check)


def test_an_error_is_tolerated_by_name(post: Callable[..., bytes], certificates: Certificates) -> None:
    def tolerate(_: Any, verification: Verification) -> None:
        verification.tolerate(wiretight.VerifyCode.CERT_HAS_EXPIRED)

    assert post(tolerate, server=certificates.expired) == b"hello"
    assert "Hostname mismatch" in refusal(post, tolerate, server=certificates.elsewhere)


def test_a_revoked_server_is_refused(post: Callable[..., bytes], certificates: Certificates) -> None:
    assert post(lambda *_: None, crls=certificates.crl().der) == b"hello"
    revoked = certificates.crl(certificates.server).der
    assert "certificate revoked" in refusal(post, lambda *_: None, crls=revoked)
