"""TicketKeys: the keys of a server's session tickets, and how they change in time."""

from __future__ import annotations

import base64
import gc
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.pair import Pair
from tests.kit.sockets import MODES, driven, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import Task
from tests.kit.tickets import content_of, visit
from wiretight import TicketKey, TicketKeys
from wiretight._core.session.ticketkeys import clock, shift_clock

WRAPPING_KEY = bytes(range(32))
HOUR = 3600.0
FOREVER = float("inf")


@pytest.fixture(autouse=True)
def running_clock() -> Iterator[None]:
    yield
    shift_clock(0)


def key(begin: float = -HOUR, end: float = HOUR, expires: float = 2 * HOUR, *, size: int = 64) -> TicketKey:
    """With times from now."""
    return TicketKey(os.urandom(16), os.urandom(size), clock() + begin, clock() + end, clock() + expires)


def names(ring: TicketKeys) -> list[bytes]:
    return [each.name for each in ring.keys]


def fixed(*keys: TicketKey) -> TicketKeys:
    return TicketKeys(keys, rotate_every=None)


# --- Tickets ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [80, 48])
def test_a_key_file_of_nginx_opens_our_tickets(
    client_context: Any, server_context: Any, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "ticket.key"
    path.write_bytes(os.urandom(size))
    server_context.ticket_keys = TicketKeys.from_files(path)
    seen = visit(client_context, server_context)
    assert seen.tickets
    for ticket in seen.tickets:
        session = content_of(ticket, path.read_bytes())
        assert session[0] == 0x30  # an SSL_SESSION of OpenSSL, in DER
        assert b"\x04" in session
    assert visit(client_context, server_context, seen.session).resumed


def test_a_ring_makes_its_first_key_and_resumes_by_it(client_context: Any, server_context: Any) -> None:
    ring = server_context.ticket_keys = TicketKeys()
    seen = visit(client_context, server_context)
    assert {ticket[:16] for ticket in seen.tickets} == set(names(ring))
    again = visit(client_context, server_context, seen.session)
    assert again.resumed


def test_a_client_resumes_through_a_rotation_and_gets_a_ticket_of_the_new_key(
    client_context: Any, server_context: Any
) -> None:
    ring = server_context.ticket_keys = TicketKeys()
    session = visit(client_context, server_context).session
    for _ in range(3):
        new = ring.rotate()
        seen = visit(client_context, server_context, session)
        assert seen.resumed
        assert {ticket[:16] for ticket in seen.tickets} == {new.name}
        session = seen.session
    assert len(ring.keys) == 4


def test_the_key_of_a_ticket_of_tls_1_2_is_not_renewed_while_it_encrypts(
    client_context: Any, server_context: Any, version: Any
) -> None:
    server_context.ticket_keys = TicketKeys()
    seen = visit(client_context, server_context)
    tickets = visit(client_context, server_context, seen.session).tickets
    assert bool(tickets) is (version == tls.TLSVersion.TLSv1_3)  # whose tickets are used once


def test_of_keys_that_may_encrypt_the_one_that_begins_last_does(client_context: Any, server_context: Any) -> None:
    old, new, later = key(-2 * HOUR), key(-HOUR), key(HOUR, 2 * HOUR, 3 * HOUR)
    server_context.ticket_keys = fixed(later, new, old)
    assert {ticket[:16] for ticket in visit(client_context, server_context).tickets} == {new.name}


def test_a_key_is_known_before_it_is_used(client_context: Any, server_context: Any) -> None:
    """A process whose clock is ahead uses it already."""
    now, next_one = key(), key(HOUR, 2 * HOUR, 3 * HOUR)
    server_context.ticket_keys = fixed(next_one._replace(not_before=clock() - 1))
    session = visit(client_context, server_context).session
    server_context.ticket_keys = fixed(now, next_one)
    seen = visit(client_context, server_context, session)
    assert seen.resumed
    assert {ticket[:16] for ticket in seen.tickets} == {now.name}


def test_a_key_that_has_expired_opens_nothing(client_context: Any, server_context: Any) -> None:
    server_context.ticket_keys = fixed(key(-HOUR, 10, 10))
    session = visit(client_context, server_context).session
    assert visit(client_context, server_context, session).resumed
    shift_clock(11)
    assert not visit(client_context, server_context, session).resumed


def test_an_unknown_key_is_a_full_handshake(client_context: Any, server_context: Any) -> None:
    server_context.ticket_keys = TicketKeys()
    session = visit(client_context, server_context).session
    server_context.ticket_keys = TicketKeys()
    seen = visit(client_context, server_context, session)
    assert not seen.resumed
    assert seen.tickets


def test_a_key_of_the_same_name_and_another_secret_is_a_full_handshake(
    client_context: Any, server_context: Any
) -> None:
    first = key()
    server_context.ticket_keys = fixed(first)
    session = visit(client_context, server_context).session
    server_context.ticket_keys = fixed(first._replace(secret=os.urandom(64)))
    assert not visit(client_context, server_context, session).resumed


def test_when_no_key_may_encrypt_no_ticket_is_issued(client_context: Any, server_context: Any) -> None:
    server_context.ticket_keys = fixed(key(end=10))
    session = visit(client_context, server_context).session
    shift_clock(11)
    seen = visit(client_context, server_context)
    assert not any(seen.tickets)
    assert not seen.session.has_ticket
    seen = visit(client_context, server_context, session)
    assert seen.resumed  # until the key expires
    assert not any(seen.tickets)


def test_a_key_that_ends_amid_a_handshake_issues_no_ticket(client_context: Any, server_context: Any) -> None:
    server_context.ticket_keys = fixed(key(end=10))
    pair = Pair(client_context, server_context)
    shift_clock(11)
    pair.handshake()
    assert pair.transfer(b"data", pair.server) == b"data"
    assert pair.transfer(b"data", pair.client) == b"data"
    assert not pair.client.session.has_ticket


# --- Contexts and connections -----------------------------------------------------------------------------------------
def test_a_connection_has_the_keys_that_there_were_when_it_was_made(client_context: Any, server_context: Any) -> None:
    first, second = TicketKeys(), TicketKeys()
    server_context.ticket_keys = first
    session = visit(client_context, server_context).session
    pair = Pair(client_context, server_context, session=session)
    server_context.ticket_keys = second
    pair.handshake()
    assert pair.server.session_reused


def test_without_its_ring_a_context_has_keys_of_its_own_again(client_context: Any, server_context: Any) -> None:
    server_context.ticket_keys = TicketKeys()
    before = visit(client_context, server_context).session
    server_context.ticket_keys = None
    assert server_context.ticket_keys is None
    seen = visit(client_context, server_context, before)
    assert not seen.resumed
    assert visit(client_context, server_context, seen.session).resumed


def test_a_connection_made_before_the_ring_goes_on_without_it(client_context: Any, server_context: Any) -> None:
    pair = Pair(client_context, server_context)
    server_context.ticket_keys = ring = TicketKeys()
    pair.handshake()
    assert pair.transfer(b"data", pair.server) == b"data"
    assert names(ring)[0] not in bytes(str(pair.client.session.id), "ascii")
    assert pair.client.session.has_ticket


def test_the_keys_are_those_of_the_context_that_a_connection_was_made_with(
    client_context: Any, server_context: Any
) -> None:
    chosen = server_context.copy()
    ring, chosen.ticket_keys = TicketKeys(), TicketKeys()
    server_context.ticket_keys = ring
    server_context.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    pair = Pair(client_context, server_context)
    tickets: list[bytes] = []
    chosen.message_callback = lambda *seen: tickets.append(seen[-1]) if seen[4] == 4 else None
    pair.handshake()
    pair.transfer(b"data", pair.server)
    assert tickets
    assert all(names(ring)[0] in ticket for ticket in tickets)


def test_a_copy_shares_the_ring_and_issues_its_tickets(client_context: Any, server_context: Any) -> None:
    ring = server_context.ticket_keys = TicketKeys()
    copied = server_context.copy()
    assert copied.ticket_keys is ring
    assert {ticket[:16] for ticket in visit(client_context, copied).tickets} == set(names(ring))


def test_contexts_with_one_ring_resume_each_others_sessions(certificates: Any, version: Any) -> None:
    client_context = certificates.client_context(version)
    first, second, stranger = (certificates.server_context(version) for _ in range(3))
    first.ticket_keys = second.ticket_keys = TicketKeys()
    session = visit(client_context, first).session
    assert not visit(client_context, stranger, session).resumed
    assert visit(client_context, second, session).resumed


def test_a_ring_lets_nobody_in_whom_a_context_would_verify_otherwise(certificates: Any, version: Any) -> None:
    client_context = certificates.client_context(version, credentials=certificates.client)
    first, second = (certificates.server_context(version) for _ in range(2))
    first.ticket_keys = second.ticket_keys = TicketKeys()
    session = visit(client_context, first).session
    second.load_verify_locations(certificates.ca_file)
    second.verify_mode = tls.CERT_REQUIRED
    assert not visit(client_context, second, session).resumed


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_sockets_resume_by_a_ring_in_every_mode(certificates: Any, version: Any, mode: Any) -> None:
    client_context = certificates.client_context(version)
    ring, session = TicketKeys(), None
    for _ in range(2):
        server_context = certificates.server_context(version)
        server_context.ticket_keys = ring
        with tls_sockets(client_context, server_context, mode=mode, session=session) as (client, server):
            driven(server, server.send, b"data")
            assert driven(client, client.recv, 4) == b"data"
            assert client.session_reused is server.session_reused is (session is not None)
            session = client.session


def test_a_policy_leaves_the_ring(client_context: Any, server_context: Any, version: Any) -> None:
    ring = server_context.ticket_keys = TicketKeys()
    server_context.apply_policy(tls.Policy.named("mozilla-intermediate-5.7"))
    server_context.maximum_version = version
    tickets = visit(client_context, server_context).tickets
    assert {ticket[:16] for ticket in tickets} == set(names(ring))


def test_a_frozen_context_rotates(client_context: Any, server_context: Any) -> None:
    ring = server_context.ticket_keys = TicketKeys(rotate_every=60)
    session = visit(client_context, server_context).session
    frozen = server_context
    frozen.freeze()
    shift_clock(61)
    pair = Pair(client_context, frozen, session=session)
    pair.handshake()
    assert pair.server.session_reused
    assert len(ring.keys) == 2


def test_a_ring_that_the_program_has_dropped_serves_its_connections(client_context: Any, server_context: Any) -> None:
    server_context.ticket_keys = TicketKeys()
    pair = Pair(client_context, server_context)
    server_context.ticket_keys = None
    gc.collect()
    pair.handshake()
    assert pair.transfer(b"data", pair.server) == b"data"
    assert pair.client.session.has_ticket


# --- Time -------------------------------------------------------------------------------------------------------------
def test_whoever_makes_a_connection_rotates_what_is_due(client_context: Any, server_context: Any) -> None:
    ring = server_context.ticket_keys = TicketKeys(rotate_every=60, accept_for=300)
    session = visit(client_context, server_context).session
    counts = []
    for minute in range(1, 12):
        shift_clock(minute * 60 + 1)
        seen = visit(client_context, server_context, session)
        assert seen.resumed
        session = seen.session
        counts.append(len(ring.keys))
    assert counts == [2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6]  # one that encrypts, and five minutes of those that did


def test_a_clock_that_was_wrong_and_is_set_back_needs_a_new_key_only(client_context: Any, server_context: Any) -> None:
    shift_clock(10 * 365 * 86400)
    server_context.ticket_keys = TicketKeys()
    session = visit(client_context, server_context).session
    shift_clock(0)
    seen = visit(client_context, server_context, session)
    assert seen.resumed
    assert visit(client_context, server_context, seen.session).resumed


def test_handshakes_in_four_threads_resume_while_rings_are_rotated_and_exchanged(
    certificates: Any, version: Any
) -> None:
    server_context = certificates.server_context(version)
    rings = [TicketKeys(), TicketKeys()]
    server_context.ticket_keys = rings[0]

    def come_again() -> list[bool]:
        client_context = certificates.client_context(version)
        session, resumed = None, []
        for _ in range(40):
            pair = Pair(client_context, server_context, session=session)
            pair.handshake()
            assert pair.transfer(b"data", pair.server) == b"data"
            resumed.append(pair.server.session_reused)
            session = pair.client.session
        return resumed

    clients = [Task(come_again) for _ in range(4)]
    rotations = 0
    while any(task.running for task in clients):
        for ring in (*rings, None):
            server_context.ticket_keys = ring
            if ring is not None and rotations < 1000:
                rotations += 1
                assert ring.rotate() in ring.keys
    assert any(each for task in clients for each in task.result())


# --- Keys as values ---------------------------------------------------------------------------------------------------
def test_a_key_shows_its_secret_to_nobody_who_does_not_ask() -> None:
    ring = TicketKeys()
    [only] = ring.keys
    for text in (repr(only), str(only), f"{only}", repr(ring)):
        assert only.secret.hex() not in text
        assert repr(only.secret) not in text
    for it in (only, ring):
        with pytest.raises(TypeError, match=r"to_bytes\(wrapping_key\)"):
            pickle.dumps(it)
    assert len(only.name) == 16
    assert len(only.secret) == 64
    assert only.not_before <= clock() < only.encrypt_until < only.expires


@pytest.mark.parametrize("size", [64, 32])
def test_given_keys_are_what_the_ring_has(size: int) -> None:
    given = [key(size=size), key(HOUR, 2 * HOUR, FOREVER)]
    assert list(TicketKeys(given).keys) == given


def test_rotate_returns_the_new_key_and_drops_what_has_expired() -> None:
    ring = TicketKeys([key(-3 * HOUR, -2 * HOUR, -HOUR), key()], rotate_every=100, accept_for=50)
    new = ring.rotate()
    assert ring.keys[-1] == new
    assert len(ring.keys) == 2
    assert new.encrypt_until - new.not_before == pytest.approx(100)
    assert new.expires - new.encrypt_until == pytest.approx(50)


# --- Bytes ------------------------------------------------------------------------------------------------------------
def test_a_ring_that_is_full_gives_up_the_key_that_expires_first() -> None:
    keys = [key(expires=HOUR * (2 + (number + 500) % 1000)) for number in range(1000)]
    ring = TicketKeys(keys)
    made = ring.rotate()
    assert len(ring.keys) == 1000
    assert set(names(ring)) == {each.name for each in [*keys, made]} - {min(keys, key=lambda each: each.expires).name}


class Interrupted(TicketKeys):
    """A ring whose looks end by a signal."""

    def _look(self) -> None:
        raise KeyboardInterrupt


def test_a_look_that_a_signal_ends_is_not_the_last(client_context: Any, server_context: Any) -> None:
    ring = server_context.ticket_keys = Interrupted([key()], rotate_every=None)
    ring._set_times(1, False)
    for seconds in (0, 2):
        shift_clock(seconds)
        with pytest.raises(KeyboardInterrupt):
            Pair(client_context, server_context)


def test_a_ring_comes_back_from_its_bytes() -> None:
    ring = TicketKeys([key(), key(size=32), key(0, FOREVER, FOREVER)], rotate_every=100, accept_for=50)
    data = ring.to_bytes(WRAPPING_KEY)
    again = TicketKeys.from_bytes(bytearray(data), bytearray(WRAPPING_KEY))
    assert again.keys == ring.keys
    new = again.rotate()
    assert (new.encrypt_until - new.not_before, new.expires - new.encrypt_until) == pytest.approx((100, 50))
    assert ring.to_bytes(WRAPPING_KEY) != data  # a nonce of its own


def test_a_ring_that_is_not_rotated_is_none_afterwards() -> None:
    ring = TicketKeys.from_bytes(fixed(key()).to_bytes(WRAPPING_KEY), WRAPPING_KEY)
    with pytest.raises(ValueError, match="the keys of this ring are those that it was given"):
        ring.rotate()


def test_no_secret_is_in_the_bytes() -> None:
    ring = TicketKeys()
    data = ring.to_bytes(WRAPPING_KEY)
    [only] = ring.keys
    assert not any(part in data for part in (only.name, only.secret[:32], only.secret[32:], WRAPPING_KEY))


def test_another_wrapping_key_opens_nothing() -> None:
    data = TicketKeys().to_bytes(WRAPPING_KEY)
    with pytest.raises(ValueError, match="sealed under another wrapping key, or are damaged"):
        TicketKeys.from_bytes(data, bytes(32))


def test_a_change_of_any_byte_is_noticed() -> None:
    data = fixed(key()).to_bytes(WRAPPING_KEY)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="ticket keys"):
            TicketKeys.from_bytes(changed, WRAPPING_KEY)
    for length in range(len(data)):
        with pytest.raises(ValueError, match="ticket keys"):
            TicketKeys.from_bytes(data[:length], WRAPPING_KEY)
    with pytest.raises(ValueError, match="damaged"):
        TicketKeys.from_bytes(data + bytes(105), WRAPPING_KEY)


def test_a_later_version_of_the_format_says_so() -> None:
    data = bytearray(TicketKeys().to_bytes(WRAPPING_KEY))
    data[4] = 2
    with pytest.raises(ValueError, match="are in version 2 of the format, and this wiretight knows version 1"):
        TicketKeys.from_bytes(data, WRAPPING_KEY)


# --- Files ------------------------------------------------------------------------------------------------------------
def test_the_first_file_encrypts_and_the_others_open(client_context: Any, server_context: Any, tmp_path: Path) -> None:
    old, new = tmp_path / "old.key", tmp_path / "new.key"
    old.write_bytes(os.urandom(48))
    new.write_bytes(os.urandom(80))
    server_context.ticket_keys = TicketKeys.from_files(old)
    session = visit(client_context, server_context).session
    server_context.ticket_keys = TicketKeys.from_files(str(new), old)
    seen = visit(client_context, server_context, session)
    assert seen.resumed
    assert {ticket[:16] for ticket in seen.tickets} == {new.read_bytes()[:16]}


def test_of_a_file_of_haproxy_the_last_key_but_one_encrypts(
    client_context: Any, server_context: Any, tmp_path: Path
) -> None:
    path = tmp_path / "tickets"
    contents = [os.urandom(80) for _ in range(3)]
    path.write_bytes(b"\n".join(map(base64.b64encode, contents)) + b"\n")
    ring = server_context.ticket_keys = TicketKeys.from_files(path)
    assert sorted(names(ring)) == sorted(content[:16] for content in contents)
    [ticket, *_] = visit(client_context, server_context).tickets
    assert content_of(ticket, contents[1])


@pytest.mark.parametrize("content", [b"", bytes(79), b"not base64!", base64.b64encode(bytes(47))])
def test_what_is_no_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ticket.key"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="has no ticket keys: it should have 80 or 48 bytes"):
        TicketKeys.from_files(path)
