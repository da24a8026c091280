"""Whatever two threads do with one connection, each call has a result that the table allows, and none hangs."""

from __future__ import annotations

import random

import pytest

from tests.incidents.pairs import KINDS, PAIRS, Contexts, Round
from tests.incidents.references import reference

pytestmark = [reference("python/cpython#137583"), pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def contexts(certificates) -> Contexts:
    return Contexts(certificates)


@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_of_concurrent_calls_has_documented_results(contexts, kind, version, rounds):
    chance = random.Random(1)
    for pair in PAIRS:
        for _ in range(rounds(3, 100)):
            Round(kind, version, pair).run(contexts, 20, at_server=chance.random() < 0.5)
