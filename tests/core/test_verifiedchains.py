"""The memory of verified chains: what it keeps, how much of it, and for how long."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import wiretight
from tests.kit.memory import COUNTED, allocated
from tests.kit.threads import Task
from wiretight._core.trust.verifiedchains import recalled, statistics

MOST = 1024
MANY = 100_000


def digest(number: int) -> bytes:
    """All but the last bytes of it are like those of the others, so that these are compared, too."""
    return bytes(24) + number.to_bytes(8, "big")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    wiretight.forget_verified_chains()
    yield
    wiretight.forget_verified_chains()


def test_a_chain_is_remembered_until_it_is_forgotten() -> None:
    assert not recalled(digest(1))
    assert recalled(digest(1))
    assert not recalled(digest(2))
    wiretight.forget_verified_chains()
    assert not recalled(digest(1))


def test_a_chain_that_was_being_verified_when_all_were_forgotten_is_not_remembered() -> None:
    assert not recalled(digest(1), wiretight.forget_verified_chains)
    assert statistics().chains == 0
    assert not recalled(digest(1))


def test_two_threads_that_verify_the_same_chain_remember_it_once() -> None:
    assert not recalled(digest(1), lambda: recalled(digest(1)))
    assert statistics().chains == 1


def test_the_least_recently_used_chain_makes_room() -> None:
    for number in range(MOST):
        assert not recalled(digest(number))
    assert recalled(digest(0))
    assert not recalled(digest(MOST))
    assert statistics().chains == MOST
    assert recalled(digest(0))
    assert recalled(digest(2))
    assert not recalled(digest(1))


def test_a_hundred_thousand_chains_need_the_memory_of_a_thousand() -> None:
    for number in range(MOST):
        recalled(digest(number))
    before = allocated() if COUNTED else 0
    for number in range(MANY):
        recalled(digest(number))
    after = allocated() if COUNTED else 0
    assert statistics().chains == MOST
    assert after - before < MOST  # bytes: a hundredth of one for each


def test_what_was_recalled_and_missed_is_counted() -> None:
    before = statistics()
    recalled(digest(1))
    recalled(digest(1))
    recalled(digest(2))
    after = statistics()
    assert after.chains == 2
    assert (after.recalled - before.recalled, after.missed - before.missed) == (1, 2)


def test_threads_share_the_memory() -> None:
    def recall(first: int) -> None:
        for number in range(first, first + MANY // 8):
            recalled(digest(number % (2 * MOST)))

    for task in [Task(recall, thread * 100) for thread in range(8)]:
        task.result()
    assert 0 < statistics().chains <= MOST
    recalled(digest(5))
    assert recalled(digest(5))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_child_of_fork_inherits_the_memory_and_has_it_for_itself() -> None:
    recalled(digest(1))
    child = os.fork()
    if child == 0:
        inherited = recalled(digest(1))
        wiretight.forget_verified_chains()
        os._exit(0 if inherited and not recalled(digest(1)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert recalled(digest(1))


def test_a_digest_has_a_size() -> None:
    with pytest.raises(ValueError, match="a digest has 32 bytes"):
        recalled(b"short")
