"""Ticket keys where clocks are wrong: one that was set back, and one server of a fleet that is a year off.

The processes of the fleet are rings, each with a clock of its own: the test sets it before a ring is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.processes import in_processes
from tests.kit.subject import tls
from tests.kit.tickets import visit
from wiretight import FileTicketKeyStore, TicketKey, TicketKeys
from wiretight._core.session.sealing import WrappingKey, sealed
from wiretight._core.session.ticketkeys import KeySet, clock, shift_clock

WRAPPING_KEY = bytes(range(32))
HOUR, YEAR = 3600.0, 365 * 86400.0
FOREVER = float("inf")
REFRESH, ROTATE_EVERY, ACCEPT_FOR = 60, 600, 1200


@pytest.fixture(autouse=True)
def running_clock() -> Iterator[None]:
    yield
    shift_clock(0)


def encrypting(ring: TicketKeys) -> bytes | None:
    """The name of the key of new tickets."""
    usable = [key for key in ring.keys if key.not_before <= clock() < key.encrypt_until]
    return max(usable, key=lambda key: key.not_before).name if usable else None


def opens(ring: TicketKeys, name: bytes | None) -> bool:
    return any(key.name == name and clock() < key.expires for key in ring.keys)


def use(ring: TicketKeys) -> None:
    """Makes a connection, and so looks at the store if that is due."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.ticket_keys = ring
    context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_side=True)


# --- A ring of one process --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ahead", [HOUR, YEAR])
def test_after_a_rotation_no_other_key_comes_back_even_if_the_clock_was_set_back(ahead: float) -> None:
    shift_clock(0, ahead)
    ring = TicketKeys(rotate_every=3 * HOUR)
    [old] = ring.keys
    shift_clock(0)
    new = ring.rotate()
    for hour in range(8):
        shift_clock(hour * HOUR)
        use(ring)
        assert encrypting(ring) == new.name if hour < 3 else encrypting(ring) not in (None, old.name)
        assert opens(ring, old.name)


def test_after_a_rotation_no_given_key_comes_back_when_the_new_one_has_ended() -> None:
    given = TicketKey(bytes(16), bytes(64), 0.0, FOREVER, FOREVER)
    ring = TicketKeys([given], rotate_every=HOUR)
    ring.rotate()
    shift_clock(2 * HOUR)
    use(ring)
    assert encrypting(ring) not in (None, given.name)
    assert opens(ring, given.name)


@pytest.mark.parametrize("back", [5, HOUR, YEAR])
def test_a_key_that_rotate_has_ended_does_not_come_back_when_the_clock_is_set_back_afterwards(back: float) -> None:
    ring = TicketKeys(rotate_every=3 * HOUR, accept_for=YEAR)
    [old] = ring.keys
    shift_clock(HOUR)
    ring.rotate()
    for second in range(0, 8 * int(HOUR), 600):
        shift_clock(HOUR + second, -back)
        use(ring)
        assert encrypting(ring) not in (None, old.name)
        assert opens(ring, old.name)


def test_a_key_that_is_to_begin_later_does_so_where_nobody_has_rotated() -> None:
    later = TicketKey(bytes(16), bytes(64), clock() + HOUR, clock() + 2 * HOUR, clock() + 3 * HOUR)
    ring = TicketKeys([later])
    use(ring)
    assert encrypting(ring) not in (None, later.name)
    shift_clock(1.5 * HOUR)
    assert encrypting(ring) == later.name


# --- A fleet ----------------------------------------------------------------------------------------------------------
class Member:
    """A process of a fleet, whose clock is so many seconds ahead."""

    def __init__(self, store: Any, ahead: float = 0, time: float = 0) -> None:
        self.ahead = ahead
        self.at(time)
        self.ring = TicketKeys.shared(
            store, WRAPPING_KEY, refresh=REFRESH, rotate_every=ROTATE_EVERY, accept_for=ACCEPT_FOR
        )

    def at(self, time: float) -> None:
        """All clocks are now as this process's is at that time."""
        shift_clock(time, self.ahead)

    def look(self, time: float) -> bytes | None:
        self.at(time)
        use(self.ring)
        return encrypting(self.ring)

    def opens(self, name: bytes | None, time: float) -> bool:
        self.at(time)
        return opens(self.ring, name)


@pytest.fixture
def store(tmp_path: Path) -> FileTicketKeyStore:
    return FileTicketKeyStore(tmp_path / "keys")


def stored(store: FileTicketKeyStore) -> set[bytes]:
    _, data = store.load() or (None, b"")
    return {key.name for key in TicketKeys.from_bytes(data, WRAPPING_KEY).keys}


@pytest.mark.parametrize("first", [True, False], ids=["from the beginning", "later"])
@pytest.mark.parametrize("ahead", [YEAR, -YEAR, HOUR, -HOUR, 4 * REFRESH, -4 * REFRESH])
def test_a_server_whose_clock_is_wrong_costs_the_others_no_ticket_and_no_resumption(
    store: FileTicketKeyStore, ahead: float, first: bool
) -> None:
    """Through ten rotations, with good clocks that differ by as much as they may; all look twice a minute."""
    wrong = [Member(store, ahead)] if first else []
    good = [Member(store, skew) for skew in (0, -REFRESH / 2, REFRESH / 2)]
    wrong = wrong or [Member(store, ahead)]
    used = set()
    for time in range(2 * REFRESH, 11 * ROTATE_EVERY, REFRESH // 2):
        for member in wrong:
            member.look(time)
        names = [member.look(time) for member in good]
        used.update(names)
        assert all(member.opens(name, time) for name in names for member in good)
    assert 10 <= len(used) <= 13
    assert None not in used


def test_the_others_resume_the_sessions_of_a_server_whose_clock_is_ahead(
    store: FileTicketKeyStore, client_context: Any, server_context: Any
) -> None:
    good, ahead = Member(store), Member(store, YEAR)
    for time in range(0, 2 * ROTATE_EVERY, REFRESH):
        ahead.at(time)
        server_context.ticket_keys = ahead.ring
        session = visit(client_context, server_context).session
        assert session.has_ticket
        good.look(time + REFRESH)
        server_context.ticket_keys = good.ring
        assert visit(client_context, server_context, session).resumed


@pytest.mark.parametrize("first", [True, False], ids=["from the beginning", "later"])
@pytest.mark.parametrize("ahead", [YEAR, -YEAR, HOUR, -HOUR])
def test_the_order_to_rotate_of_a_server_whose_clock_is_wrong_takes_one_look_to_get_over(
    store: FileTicketKeyStore, ahead: float, first: bool
) -> None:
    """The others have new keys then, whatever the one that it has made."""
    good = [Member(store) for _ in range(3)]
    before = good[0].look(0)
    wrong = Member(store, ahead)
    for time in range(10, 2 * REFRESH, REFRESH // 2) if first else ():
        wrong.look(time)
    wrong.at(2 * REFRESH)
    wrong.ring.rotate()
    for time in (3 * REFRESH, 4 * REFRESH + 1):
        names = [member.look(time) for member in good]
        assert None not in names
        assert before not in names
        assert all(member.opens(before, time) for member in good)
    assert all(member.opens(name, time) for member in good for name in names)


def test_the_order_to_rotate_of_a_server_that_is_somewhat_ahead_is_late_by_that(store: FileTicketKeyStore) -> None:
    good, ahead = Member(store), Member(store, 4 * REFRESH)
    before = good.look(0)
    ahead.at(1)
    new = ahead.ring.rotate().name
    assert good.look(5 * REFRESH) == before
    assert good.look(6 * REFRESH + 2) == new


def test_a_key_that_a_fleet_has_ended_does_not_come_back_when_all_clocks_are_set_back(
    store: FileTicketKeyStore,
) -> None:
    fleet = [Member(store) for _ in range(3)]
    old = fleet[0].look(0)
    fleet[1].at(REFRESH)
    new = fleet[1].ring.rotate().name
    assert {member.look(4 * REFRESH) for member in fleet} == {new}
    for member in fleet:
        member.ahead = -3 * REFRESH
    later = Member(store, -3 * REFRESH, time=5 * REFRESH + 1)
    for time in range(5 * REFRESH + 1, ROTATE_EVERY, REFRESH // 2):
        names = [member.look(time) for member in (*fleet, later)]
        assert old not in names
        assert None not in names


@pytest.mark.parametrize("ahead", [HOUR, YEAR])
def test_a_fleet_that_was_set_back_has_tickets_at_once_and_rotates_when_told(
    store: FileTicketKeyStore, ahead: float
) -> None:
    fleet = [Member(store, ahead) for _ in range(3)]
    old = fleet[0].look(0)
    for member in fleet:
        member.ahead = 0
    assert None not in [member.look(REFRESH + 1) for member in fleet]
    fleet[0].ring.rotate()
    for time in range(5 * REFRESH, 8 * int(HOUR), REFRESH):
        names = [member.look(time) for member in fleet]
        assert None not in names
        assert old not in names
    assert ahead == HOUR or all(member.opens(old, 8 * HOUR) for member in fleet)


def test_a_wrong_clock_throws_nothing_away_that_others_have_not_seen_yet(store: FileTicketKeyStore) -> None:
    good, other = Member(store), Member(store)
    good.at(0)
    name = good.ring.rotate().name
    wrong = Member(store, YEAR)  # for which all that is known has expired
    wrong.ring.rotate()
    assert len(stored(store)) == 4
    other.look(REFRESH + 1)
    assert other.opens(name, REFRESH + 1)


def test_what_those_with_the_time_have_outlived_leaves_the_store(store: FileTicketKeyStore) -> None:
    good, wrong = Member(store), Member(store, YEAR)
    names = set()
    for time in range(0, 6 * ROTATE_EVERY, REFRESH // 2):
        wrong.look(time)
        names.add(good.look(time))
    assert len(names) >= 6
    assert len(names & stored(store)) <= 4  # one that encrypts, and twenty minutes of those that did


def test_a_server_that_is_always_behind_does_not_fill_the_store(store: FileTicketKeyStore) -> None:
    good = Member(store)
    for time in range(0, 80 * ROTATE_EVERY, ROTATE_EVERY // 2):
        Member(store, -YEAR, time=time).ring.rotate()
        assert good.look(time + 1) is not None
    assert len(stored(store)) <= 30


def test_a_process_that_starts_beside_a_wrong_clock_issues_tickets_that_all_open(store: FileTicketKeyStore) -> None:
    wrong = Member(store, YEAR)
    good = Member(store)
    assert good.look(0) is not None
    assert wrong.look(REFRESH + 1) is not None
    later = Member(store, time=2 * REFRESH)
    assert good.opens(later.look(2 * REFRESH), 2 * REFRESH)


def test_keys_of_wrong_clocks_take_no_place_from_good_ones(store: FileTicketKeyStore) -> None:
    good = Member(store)
    name = good.look(0)
    far = [TicketKey(i.to_bytes(16, "big"), bytes(64), *[clock() + YEAR + i] * 3) for i in range(1000)]
    shift_clock(0)
    version, _ = store.load() or (None, b"")
    assert store.store(sealed(KeySet(far), WrappingKey(WRAPPING_KEY), 0, 0, True), version)
    for time in range(REFRESH + 1, 3 * ROTATE_EVERY, REFRESH):
        assert good.look(time) is not None
    assert good.opens(name, ROTATE_EVERY)
    assert len(good.ring.keys) == 1000
    assert far[0].name not in stored(store)
    assert far[-1].name in stored(store)


def test_the_end_that_an_operator_is_told_of_is_that_of_the_keys_in_use(store: FileTicketKeyStore) -> None:
    good = Member(store)
    ends = good.ring.keys[0].encrypt_until
    Member(store, YEAR).look(0)
    good.look(REFRESH + 1)
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.ticket_keys = good.ring
    assert context.metrics().ticket_keys_expire == ends


def test_a_rotation_survives_a_store_with_an_older_value(store: FileTicketKeyStore, tmp_path: Path) -> None:
    member = Member(store)
    old = member.look(0)
    older = (tmp_path / "keys").read_bytes()
    member.ring.rotate()
    [ended] = [key for key in member.ring.keys if key.name == old]
    (tmp_path / "keys").write_bytes(older)
    member.look(REFRESH + 1)
    [found] = [key for key in Member(store, time=REFRESH + 1).ring.keys if key.name == old]
    assert found.encrypt_until == ended.encrypt_until


def test_processes_with_wrong_clocks_and_good_ones_share_a_file(store: FileTicketKeyStore) -> None:
    Member(store)

    def process(number: int) -> None:
        ahead = (0, YEAR, -YEAR)[number % 3]
        member = Member(store, ahead)
        for time in range(0, 2 * ROTATE_EVERY, REFRESH // 2):
            assert member.look(time) is not None

    in_processes(9, process)
    shift_clock(2 * ROTATE_EVERY)
    assert encrypting(Member(store, time=2 * ROTATE_EVERY).ring) is not None
