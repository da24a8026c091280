"""Every test runs on asyncio's loop and on uvloop. With `ends` both ends are ours; `pairings` adds asyncio's TLS."""

from __future__ import annotations

import ssl as standard
from collections.abc import Iterator

import pytest

from tests.aio.ends import Ends
from tests.aio.loops import NAMES, Loops, uvloop
from tests.incidents.eventloops import WAYS, Way
from tests.kit.certificates import Certificates

PAIRINGS = (("ours", "ours"), ("ours", "standard"), ("standard", "ours"))


@pytest.fixture(params=NAMES)
def loops(request: pytest.FixtureRequest) -> Loops:
    if request.param == "uvloop" and uvloop is None:
        pytest.skip("uvloop is not installed: it has no release for this Python")
    return Loops(request.param)


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """wiretight.asyncio on each loop, and asyncio's own functions after install()."""
    with request.param.in_use() as way:
        yield way


@pytest.fixture
def ends(certificates: Certificates, version: standard.TLSVersion) -> Ends:
    return Ends(certificates, version)


@pytest.fixture(params=PAIRINGS, ids=lambda pairing: "-".join(pairing))
def pairings(request: pytest.FixtureRequest, certificates: Certificates, version: standard.TLSVersion) -> Ends:
    return Ends(certificates, version, *request.param)
