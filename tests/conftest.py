"""Fixtures of the test kit. What they are made of is in tests/kit; tests/README.md lists both."""

from __future__ import annotations

import gc
import ssl as standard
import sys
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest

from tests.incidents.references import link
from tests.kit.certificates import Certificates
from tests.kit.deadlines import Deadline
from tests.kit.deliveries import DELIVERIES, Delivery
from tests.kit.pair import Pair
from tests.kit.sockets import MODES, Mode
from tests.kit.subject import NAME, tls

# No test asserts how long an example takes: hypothesis would, by 200 ms.
hypothesis.settings.register_profile("without deadlines", deadline=None)
hypothesis.settings.load_profile("without deadlines")


def pytest_report_header() -> str:
    return f"subject: {NAME} (WIRETIGHT_TEST_SUBJECT), standard ssl on {standard.OPENSSL_VERSION}"


def pytest_itemcollected(item: pytest.Item) -> None:
    """--junit-xml keeps the public references of a test, for docs/reliability.md."""
    for mark in item.iter_markers("reference"):
        for source in mark.args:
            link(source)
            item.user_properties.append(("reference", source))


def pytest_collection_finish() -> None:
    """Twenty thousand tests are half a million objects, which no test that collects garbage should look through."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Who asks the collector afterwards for what refers to an object is told, as hypothesis is when pytest reports."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def subject_in_the_report(record_testsuite_property: Callable[[str, object], None]) -> None:
    """So that whoever reads JUnit's XML knows what was tested."""
    record_testsuite_property("openssl", tls.OPENSSL_VERSION)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=[standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3], ids=["tls12", "tls13"])
def version(request: pytest.FixtureRequest) -> standard.TLSVersion:
    """Both versions of TLS: whoever asks for a context or a pair runs twice."""
    return request.param


@pytest.fixture
def server_context(certificates: Certificates, version: standard.TLSVersion) -> Any:
    return certificates.server_context(version)


@pytest.fixture
def client_context(certificates: Certificates, version: standard.TLSVersion) -> Any:
    return certificates.client_context(version)


@pytest.fixture
def pair(client_context: Any, server_context: Any) -> Pair:
    """Two SSLObjects of the subject that have not shaken hands."""
    return Pair(client_context, server_context)


@pytest.fixture(params=DELIVERIES, ids=lambda delivery: delivery.__name__)
def delivery(request: pytest.FixtureRequest) -> Delivery:
    """The same bytes whole, byte by byte, and record by record."""
    return request.param


@pytest.fixture(params=MODES, ids=lambda mode: mode.name)
def mode(request: pytest.FixtureRequest) -> Mode:
    """A socket that blocks, one with a timeout, and one that never waits."""
    return request.param


@pytest.fixture
def deadline(record_property: Callable[[str, object], None]) -> Deadline:
    """`with deadline():` around a call that must end by TimeoutError."""
    return Deadline(record_property)


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """The exceptions that sys.unraisablehook gets."""
    found: list[BaseException] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: found.append(report.exc_value))
    return found
