"""A context that the standard `ssl` made before install() goes on verifying, in every library that is handed it."""

from __future__ import annotations

import importlib
import ssl as standard
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import wiretight
from tests.ecosystem.table import EXCHANGES, MARKS
from tests.ecosystem.terms import HANDED, Exchange, Terms
from tests.ecosystem.test_exchanges import pytestmark as marks_of_exchanges
from tests.ecosystem.test_exchanges import refusal
from tests.kit.certificates import Certificates, Credentials

EVERY = [
    pytest.param(exchange, id=exchange.name, marks=MARKS.get(exchange.name, ()))
    for exchange in EXCHANGES
    if HANDED in exchange.ways
]
pytestmark = [pytest.mark.parametrize("exchange", EVERY), *marks_of_exchanges[1:]]


@dataclass(frozen=True)
class OlderTerms(Terms):
    """Those of a client whose context is there already."""

    context: Any

    @property
    def client_context(self) -> Any:
        return self.context


@pytest.fixture
def meet(libraries: None, exchange: Exchange, certificates: Certificates) -> Iterator[Callable[..., bytes]]:
    """An exchange of a client with an older context and a server with one of wiretight's."""
    older, its_class = certificates.client_context(module=standard), standard.SSLContext
    wiretight.install()  # which rebinds `standard` here too

    def met(data: bytes, server: Credentials = certificates.server) -> bytes:
        module = importlib.import_module("ssl")
        assert type(older) is its_class is not module.SSLContext
        ours = OlderTerms(HANDED, module, certificates, None, certificates.ca_file, older)
        theirs = Terms(HANDED, module, certificates, server, None)
        with exchange.server(theirs) as port:
            return exchange.client(ours, port, data)

    try:
        yield met
    finally:
        wiretight.uninstall()


def test_it_carries_data(meet):
    assert meet(b"hello") == b"hello"


def test_it_refuses_a_certificate_for_another_host(meet, certificates):
    assert "Hostname mismatch" in refusal(meet, server=certificates.elsewhere)


def test_it_refuses_a_certificate_of_a_stranger(meet, certificates):
    assert "unable to get local issuer certificate" in refusal(meet, server=certificates.server_of_other_ca)
