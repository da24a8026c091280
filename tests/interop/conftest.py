"""The combinations of implementations."""

from __future__ import annotations

import ssl as standard
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from tests.kit.certificates import Certificates
from tests.kit.subject import tls


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cell(role, capability): the cells of docs/interoperation.md that a test fills")


class Peers(NamedTuple):
    """A module for the client and one for the server, and contexts of them for one version of TLS."""

    client_module: ModuleType
    server_module: ModuleType
    certificates: Certificates
    version: standard.TLSVersion

    def client_context(self, **options: Any) -> Any:
        return self.certificates.client_context(self.version, module=self.client_module, **options)

    def server_context(self, **options: Any) -> Any:
        return self.certificates.server_context(self.version, module=self.server_module, **options)


@pytest.fixture(
    params=[(tls, standard), (standard, tls), (tls, tls)],
    ids=["client-of-std", "server-of-std", "both-ends"],
)
def peers(request: pytest.FixtureRequest, certificates: Certificates, version: standard.TLSVersion) -> Peers:
    """The subject in the client's role, in the server's, and in both."""
    return Peers(*request.param, certificates, version)
