"""TicketKeys.shared(): a ring whose keys are in a store, for all processes of a fleet.

Here the processes are rings, with one clock that the test sets. Real ones, a real Redis and clocks that differ are in
tests/ecosystem/test_ticket_keys_in_redis.py.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import fcntl
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.pair import Pair
from tests.kit.processes import in_processes
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task
from tests.kit.tickets import visit
from wiretight import FileTicketKeyStore, RedisTicketKeyStore, TicketKeys
from wiretight._core.session.ticketkeys import clock, shift_clock

WRAPPING_KEY = bytes(range(32))
REFRESH, ROTATE_EVERY = 60, 600
DUE = ROTATE_EVERY - 2 * REFRESH  # when the second key is made
ENDS = ROTATE_EVERY + 3 * REFRESH  # when the first one encrypts nothing any more, even without a second


class Shelf:
    """A TicketKeyStore in memory, which can be out of order, and counts."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.broken: Exception | None = None
        self.loads = self.stores = self.refused = 0
        self.before_store: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def load(self) -> tuple[object, bytes] | None:
        self.loads += 1
        if self.broken is not None:
            raise self.broken
        return None if self.data is None else (self.data, self.data)

    def store(self, data: bytes, version: object, /) -> bool:
        if self.broken is not None:
            raise self.broken
        self.before_store()
        with self._lock:
            if version != self.data:
                self.refused += 1
                return False
            self.data = data
            self.stores += 1
            return True


def shared(store: Any, **options: Any) -> Any:
    return TicketKeys.shared(
        store, WRAPPING_KEY, **{"refresh": REFRESH, "rotate_every": ROTATE_EVERY, "accept_for": 1200, **options}
    )


def use(ring: Any) -> None:
    """Makes a connection, and so looks at the store if that is due."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.ticket_keys = ring
    context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_side=True)


def names(ring: Any) -> set[bytes]:
    return {each.name for each in ring.keys}


def encrypting(ring: Any) -> bytes | None:
    return max(
        ((each.not_before, each.name) for each in ring.keys if each.not_before <= clock() < each.encrypt_until),
        default=(0, None),
    )[1]


@pytest.fixture(autouse=True)
def running_clock() -> Iterator[None]:
    yield
    shift_clock(0)


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    caught: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: caught.append(report.exc_value))
    return caught


def test_all_processes_start_with_the_key_of_the_first() -> None:
    store = Shelf()
    rings = [shared(store) for _ in range(8)]
    assert store.stores == 1
    assert {encrypting(ring) for ring in rings} == {rings[0].keys[0].name}


def test_every_process_knows_a_key_before_one_uses_it() -> None:
    """For two hours, of which each process has a connection every 20 s, and always another one is first."""
    store = Shelf()
    rings = [shared(store) for _ in range(8)]
    used = set()
    for step in range(360):
        shift_clock(step * 20)
        for i in range(8):
            ring = rings[(step + i) % 8]
            use(ring)
            name = encrypting(ring)
            assert name is not None
            used.add(name)
            assert all(name in names(other) for other in rings)
    assert 12 <= len(used) <= 14
    assert store.stores - len(used) in (0, 1)  # one may be known and not yet used
    assert len(rings[0].keys) <= 6


def test_a_ticket_is_resumed_by_another_process_through_rotations(client_context: Any, server_context: Any) -> None:
    store = Shelf()
    rings = [shared(store) for _ in range(3)]
    session = None
    for step in range(60):
        shift_clock(step * 50)
        server_context.ticket_keys = rings[step % 3]
        seen = visit(client_context, server_context, session)
        assert seen.resumed is (session is not None)
        session = seen.session
    assert store.stores > 4


def test_expired_keys_leave_with_the_next_write() -> None:
    store = Shelf()
    ring = shared(store)
    [first] = names(ring)
    for step in range(60):
        shift_clock(step * 60)
        use(ring)
    assert first not in names(TicketKeys.from_bytes(store.data or b"", WRAPPING_KEY))


def test_twenty_writers_add_one_key() -> None:
    """Each load comes before each store, so that all but one are refused."""
    store = Shelf()
    rings = [shared(store) for _ in range(20)]
    together = threading.Barrier(20)
    waited = threading.local()

    def wait_once() -> None:
        if not getattr(waited, "done", False):
            waited.done = True
            together.wait(PATIENCE)

    store.before_store = wait_once
    shift_clock(DUE)
    for task in [Task(use, ring) for ring in rings]:
        task.result()
    assert (store.stores, store.refused) == (2, 19)
    assert all(names(ring) == names(rings[0]) for ring in rings)
    assert len(rings[0].keys) == 2


def test_who_is_never_fast_enough_goes_on_and_reports_it(unraisable: list[Any]) -> None:
    store = Shelf()
    ring = shared(store)

    def another_write() -> None:
        other = TicketKeys.from_bytes(store.data or b"", WRAPPING_KEY)
        store.data = other.to_bytes(WRAPPING_KEY)

    store.before_store = another_write
    shift_clock(DUE)
    use(ring)
    assert "has changed 100 times while they were to be stored" in str(unraisable.pop())
    assert len(ring.keys) == 1


def test_rotate_stores_a_key_that_is_used_when_every_process_knows_it() -> None:
    store = Shelf()
    ring, other = shared(store), shared(store)
    before = encrypting(ring)
    new = ring.rotate()
    assert new.name in names(ring)
    assert encrypting(ring) == before
    shift_clock(REFRESH + 1)
    use(other)
    assert new.name in names(other)
    shift_clock(2 * REFRESH + 1)
    assert encrypting(ring) == encrypting(other) == new.name


# --- A store that is gone ---------------------------------------------------------------------------------------------
def test_without_its_store_a_ring_goes_on_and_ends_with_no_tickets(
    client_context: Any, server_context: Any, unraisable: list[Any]
) -> None:
    store = Shelf()
    ring = server_context.ticket_keys = shared(store)
    first = visit(client_context, server_context)
    assert first.tickets
    store.broken = ConnectionError("the store is gone")
    for minute in range(1, 10):
        shift_clock(minute * 60)
        assert any(visit(client_context, server_context).tickets)
    assert unraisable == [store.broken]  # once
    shift_clock(ENDS + 1)
    seen = visit(client_context, server_context, first.session)
    assert seen.resumed
    assert not any(seen.tickets)
    assert len(ring.keys) == 1

    store.broken = None
    shift_clock(ENDS + REFRESH + 2)
    assert any(visit(client_context, server_context).tickets)
    store.broken = ConnectionError("the store is gone")
    shift_clock(ENDS + 3 * REFRESH)
    use(ring)
    assert len(unraisable) == 2  # after a success it is news again


def test_a_process_that_starts_without_its_store_serves_without_tickets(
    client_context: Any, server_context: Any, unraisable: list[Any]
) -> None:
    store = Shelf()
    store.broken = ConnectionError("the store is gone")
    server_context.ticket_keys = shared(store)
    assert unraisable == [store.broken]
    seen = visit(client_context, server_context)
    assert not any(seen.tickets)
    store.broken = None
    shift_clock(REFRESH + 1)
    assert any(visit(client_context, server_context).tickets)


def test_a_store_that_has_lost_the_keys_gets_them_again() -> None:
    store = Shelf()
    ring = shared(store)
    store.data = None
    shift_clock(REFRESH + 1)
    use(ring)
    assert names(TicketKeys.from_bytes(store.data or b"", WRAPPING_KEY)) == names(ring)


def test_an_older_value_of_the_store_takes_no_key_away() -> None:
    store = Shelf()
    ring = shared(store)
    older = store.data
    new = ring.rotate()
    store.data = older
    shift_clock(REFRESH + 1)
    use(ring)
    assert new.name in names(ring)
    assert new.name in names(TicketKeys.from_bytes(store.data or b"", WRAPPING_KEY))


def test_what_another_wrapping_key_sealed_changes_nothing(unraisable: list[Any]) -> None:
    store = Shelf()
    ring = shared(store)
    known = ring.keys
    store.data = TicketKeys().to_bytes(bytes(32))
    shift_clock(REFRESH + 1)
    use(ring)
    assert "another wrapping key" in str(unraisable.pop())
    assert ring.keys == known


# --- Threads, loops, processes ----------------------------------------------------------------------------------------
def test_a_slow_store_holds_up_one_connection_of_many() -> None:
    store = Shelf()
    ring = shared(store)
    entered, finish = threading.Event(), threading.Event()
    load = store.load

    def slow_load() -> Any:
        entered.set()
        assert finish.wait(PATIENCE)
        return load()

    store.load = slow_load  # type: ignore[method-assign]
    shift_clock(REFRESH + 1)
    first = Task(use, ring)
    assert entered.wait(PATIENCE)
    for _ in range(20):
        use(ring)
    assert first.running
    finish.set()
    first.result()


def test_under_asyncio_a_slow_store_holds_up_nothing(client_context: Any, server_context: Any) -> None:
    store = Shelf()
    ring = server_context.ticket_keys = shared(store)
    entered, finish = threading.Event(), threading.Event()
    load = store.load

    def slow_load() -> Any:
        entered.set()
        assert finish.wait(PATIENCE)
        return load()

    store.load = slow_load  # type: ignore[method-assign]
    store.data = None
    shift_clock(REFRESH + 1)

    async def main() -> None:
        pair = Pair(client_context, server_context)
        pair.handshake()
        assert await asyncio.to_thread(entered.wait, PATIENCE)
        assert store.data is None
        assert store.loads == 1
        finish.set()
        # asyncio.run() waits for its executor.

    asyncio.run(main())
    assert names(TicketKeys.from_bytes(store.data or b"", WRAPPING_KEY)) == names(ring)


def test_a_loop_whose_executor_has_ended_leaves_the_look_to_others() -> None:
    store = Shelf()
    ring = shared(store)
    shift_clock(REFRESH + 1)

    async def main() -> None:
        await asyncio.get_running_loop().shutdown_default_executor()
        use(ring)

    asyncio.run(main())
    loads = store.loads
    shift_clock(2 * REFRESH + 2)
    use(ring)
    assert store.loads == loads + 1


def test_a_look_that_an_executor_has_cancelled_is_left_to_others() -> None:
    store = Shelf()
    ring = shared(store)
    shift_clock(REFRESH + 1)
    finish = threading.Event()

    async def main() -> None:
        executor = concurrent.futures.ThreadPoolExecutor(1)
        asyncio.get_running_loop().set_default_executor(executor)
        executor.submit(finish.wait, PATIENCE)
        use(ring)
        executor.shutdown(wait=False, cancel_futures=True)
        finish.set()

    asyncio.run(main())
    loads = store.loads
    shift_clock(2 * REFRESH + 2)
    use(ring)
    assert store.loads == loads + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_child_of_fork_looks_even_if_a_thread_of_its_parent_was_looking() -> None:
    store = Shelf()
    ring = shared(store)
    entered, finish = threading.Event(), threading.Event()
    load, parent = store.load, os.getpid()

    def slow_load() -> Any:
        if os.getpid() == parent:
            entered.set()
            assert finish.wait(PATIENCE)
        return load()

    store.load = slow_load  # type: ignore[method-assign]
    shift_clock(REFRESH + 1)
    task = Task(use, ring)
    assert entered.wait(PATIENCE)

    def in_child() -> None:
        store.data = None
        shift_clock(2 * REFRESH + 2)
        use(ring)
        assert store.data is not None

    in_processes(1, lambda _: in_child())
    finish.set()
    task.result()


# --- Stores -----------------------------------------------------------------------------------------------------------
def test_a_file_is_a_store(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    store = FileTicketKeyStore(path)
    assert store.load() is None
    assert not store.store(b"one", b"zero")
    assert store.store(b"one", None)
    assert not store.store(b"two", None)
    version, data = store.load() or (None, b"")
    assert data == b"one"
    assert store.store(b"two", version)
    assert not store.store(b"three", version)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_store_stays_where_it_was_when_the_program_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = FileTicketKeyStore("keys")
    monkeypatch.chdir("/")
    assert store.store(b"one", None)
    assert (tmp_path / "keys").read_bytes() == b"one"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_twenty_processes_write_a_file_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    FileTicketKeyStore(path).store(b"0", None)

    def count(_: int) -> None:
        store = FileTicketKeyStore(path)
        for _ in range(10):
            while True:
                version, data = store.load() or (None, b"")
                if store.store(b"%d" % (int(data) + 1), version):
                    break

    in_processes(20, count)
    assert path.read_bytes() == b"200"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_processes_share_a_ring_in_a_file(tmp_path: Path) -> None:
    store = FileTicketKeyStore(tmp_path / "keys")
    in_processes(8, lambda _: shared(store).rotate())
    assert len(shared(store).keys) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_process_that_was_forked_while_a_thread_stored_does_not_keep_the_lock(tmp_path: Path) -> None:
    store = FileTicketKeyStore(tmp_path / "keys")
    ends, keeps = os.pipe()
    with store._lock():
        child = os.fork()
        if child == 0:
            os.close(keeps)
            os.read(ends, 1)
            os._exit(0)
    try:
        with (tmp_path / "keys.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(keeps)
        os.close(ends)
        os.waitpid(child, 0)


class Redis:
    """The part of a client that a RedisTicketKeyStore uses."""

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def get(self, name: str) -> Any:
        return self.value

    def eval(self, script: str, count: int, *arguments: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("value", [b"\xff\x00", b"not base64!", "text!"])
def test_another_value_in_redis_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="in Redis is no ticket keys: choose another name"):
        RedisTicketKeyStore(Redis(value)).load()


def test_a_client_that_decodes_is_fine() -> None:
    text = base64.b64encode(b"data")
    assert RedisTicketKeyStore(Redis(text.decode())).load() == RedisTicketKeyStore(Redis(text)).load()


def test_a_client_that_does_not_wait_is_refused() -> None:
    async def value() -> bytes:
        return b""

    with pytest.raises(TypeError, match=r"needs a client that waits: redis\.Redis, not that of redis\.asyncio"):
        RedisTicketKeyStore(Redis(value())).load()
