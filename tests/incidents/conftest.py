"""Every test of the pack names its public reference, and reports how often it tried."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator

import pytest

from tests.incidents.eventloops import WAYS, Way
from tests.kit.deadlines import FULL
from tests.kit.subject import tls

HOURS = 4  # after which a test of a full run is given up


def pytest_itemcollected(item: pytest.Item) -> None:
    if not any(mark.args for mark in item.iter_markers("reference")):
        raise pytest.UsageError(f"{item.nodeid} names no public reference: mark it with reference(...)")
    item.user_properties.append(("selection", "full" if FULL else "bounded"))
    if FULL:
        item.add_marker(pytest.mark.timeout(HOURS * 3600))


@pytest.fixture(scope="session", autouse=True)
def build(record_testsuite_property: Callable[[str, object], None]) -> None:
    """--junit-xml records what the tests ran with."""
    record_testsuite_property("with", f"Python {platform.python_version()} and {tls.OPENSSL_VERSION}")


@pytest.fixture
def rounds(record_property: Callable[[str, object], None]) -> Callable[[int, int], int]:
    """`rounds(200, 10_000)`: the first number of rounds, or the second with WIRETIGHT_INCIDENTS=full."""

    def chosen(bounded: int, full: int) -> int:
        count = full if FULL else bounded
        record_property("rounds", count)
        return count

    return chosen


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with request.param.in_use() as way:
        yield way
