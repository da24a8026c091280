"""TicketKeys.shared(): a ring whose keys are in a store, for all processes of a fleet.

Here the processes are rings, with one clock that the test sets. Real ones, a real Redis and clocks that differ are in
tests/ecosystem/test_ticket_keys_in_redis.py.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.pair import Pair
from tests.kit.processes import in_processes
from tests.kit.threads import PATIENCE, Task
from tests.kit.tickets import visit
from tests.kit.ticketstores import DUE, ENDS, REFRESH, WRAPPING_KEY, Shelf, encrypting, names, shared, use
from wiretight import TicketKeys
from wiretight._core.session.sealing import WrappingKey, opened, sealed
from wiretight._core.session.ticketkeys import shift_clock


@pytest.fixture(autouse=True)
def running_clock() -> Iterator[None]:
    yield
    shift_clock(0)


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
        wrapping_key = WrappingKey(WRAPPING_KEY)
        keys, *times = opened(store.data or b"", wrapping_key)
        store.data = sealed(keys, wrapping_key, *times, True)  # with another nonce

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


def looks_again(ring: TicketKeys, store: Shelf) -> bool:
    """Whether the next handshake, after the time between two looks, looks at the store."""
    loads = store.loads
    shift_clock(2 * REFRESH + 2)
    use(ring)
    return store.loads == loads + 1


def test_a_loop_whose_executor_has_ended_leaves_the_look_to_others() -> None:
    store = Shelf()
    ring = shared(store)
    shift_clock(REFRESH + 1)

    async def main() -> None:
        await asyncio.get_running_loop().shutdown_default_executor()
        use(ring)

    asyncio.run(main())
    assert looks_again(ring, store)


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
    assert looks_again(ring, store)


def test_so_is_one_that_is_cancelled_when_its_loop_has_ended() -> None:
    store = Shelf()
    ring = shared(store)
    shift_clock(REFRESH + 1)
    finish = threading.Event()
    executor = concurrent.futures.ThreadPoolExecutor(1)
    loop = asyncio.new_event_loop()

    async def main() -> None:
        loop.set_default_executor(executor)
        executor.submit(finish.wait, PATIENCE)
        use(ring)

    loop.run_until_complete(main())
    loop.close()
    executor.shutdown(wait=False, cancel_futures=True)
    finish.set()
    assert looks_again(ring, store)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_ends_a_program_and_a_store_raises_under_asyncio_is_no_success(
    error: BaseException, unraisable: list[Any]
) -> None:
    store = Shelf()
    ring = shared(store)

    async def main() -> None:
        use(ring)
        await asyncio.get_running_loop().shutdown_default_executor()

    for number in (1, 2):
        store.broken = error
        shift_clock(number * (REFRESH + 1))
        asyncio.run(main())
    assert unraisable == [error]  # a success between them would have made it news again
    store.broken = None
    store.data = None
    shift_clock(4 * REFRESH)
    use(ring)
    assert store.data is not None


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
