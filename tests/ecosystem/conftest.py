"""A way in, and an exchange on it."""

from __future__ import annotations

import gc
import importlib
import ssl as standard
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import wiretight
from tests.ecosystem.families import postgresql
from tests.ecosystem.terms import HANDED, INSTALLED, OF_FILES, Exchange, Terms
from tests.kit.certificates import Certificates, Credentials
from tests.kit.subject import NAME, tls
from tests.kit.tap import Tap


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and certificates of this machine are none of these tests' business."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    certificates = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for name in (*proxies, *map(str.lower, proxies), *certificates):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def databases() -> Iterator[None]:
    with postgresql.kept:
        yield


@pytest.fixture
def collected() -> Iterator[None]:
    """What the test leaves to the garbage collector is collected while its own filters of warnings hold."""
    yield
    gc.collect()


@pytest.fixture
def libraries(exchange: Exchange) -> None:
    for name in exchange.needs:
        pytest.importorskip(name, reason="pip install --group ecosystem", exc_type=ModuleNotFoundError)


@pytest.fixture
def module(libraries: None, way: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Whose contexts this exchange is made with. Its libraries are imported before install() is called."""
    if way not in {INSTALLED, OF_FILES} or NAME != "wiretight":
        yield tls
        return
    of_the_standard = standard.SSLContext
    wiretight.install()  # first: it would refuse where parts of `ssl` have been replaced
    refuse_to_work(of_the_standard, monkeypatch)
    try:
        yield importlib.import_module("ssl")
    finally:
        wiretight.uninstall()


def refuse_to_work(context_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The witness of every test after install(): TLS that the standard library makes is an error."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("this TLS is the standard library's")

    monkeypatch.setattr(context_class, "wrap_socket", refuse)
    monkeypatch.setattr(context_class, "wrap_bio", refuse)


class Meeting:
    """One exchange on one way: its client meets its server, once for each call."""

    def __init__(self, exchange: Exchange, way: str, module: ModuleType, certificates: Certificates) -> None:
        self.exchange = exchange
        self.certificates = certificates
        self._way = way
        self._module = module

    def _terms(self, *identity: Any) -> Terms:
        return Terms(self._way, self._module, self.certificates, *identity)

    def __call__(
        self,
        data: bytes,
        *,
        server: Credentials | None = None,
        client: Credentials | None = None,
        ask_for_client: bool = False,
    ) -> bytes:
        """What comes back for the data."""
        ours = self._terms(client, self.certificates.ca_file)
        theirs = self._terms(server or self.certificates.server, self.certificates.ca_file if ask_for_client else None)
        with self.exchange.server(theirs) as port:
            return self.exchange.client(ours, port, data)

    def goodbyes(self) -> list[tuple[bool, bool]]:
        """For each connection of an exchange, whether its client ended with an alert, and whether its server did."""
        with self.exchange.server(self._terms(self.certificates.server, None)) as port:
            with Tap(port) as tap:
                self.exchange.client(self._terms(None, self.certificates.ca_file), tap.port, b"hello")
            return tap.goodbyes()


@pytest.fixture
def usual_goodbyes(libraries: None, exchange: Exchange, certificates: Certificates) -> list[tuple[bool, bool]]:
    """Those of the same exchange on the standard `ssl`. Ask for it before `meet`, which calls install()."""
    return Meeting(exchange, HANDED, standard, certificates).goodbyes()


@pytest.fixture
def meet(exchange: Exchange, way: str, module: ModuleType, certificates: Certificates) -> Meeting:
    return Meeting(exchange, way, module, certificates)
