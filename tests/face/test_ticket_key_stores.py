"""What a store of shared ticket keys may have and raise, and the two that there are, in a file and in Redis."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.processes import in_processes
from tests.kit.subject import tls
from tests.kit.ticketstores import DUE, REFRESH, WRAPPING_KEY, Shelf, names, shared, use
from wiretight import FileTicketKeyStore, RedisTicketKeyStore, TicketKey, TicketKeys
from wiretight._core.session.ticketkeys import shift_clock

FOREVER = float("inf")


@pytest.fixture(autouse=True)
def running_clock() -> Iterator[None]:
    yield
    shift_clock(0)


# --- A store that has something else ----------------------------------------------------------------------------------
def damaged(store: Shelf) -> Any:
    return (store.data or b"")[:-1]


def under_another_key(_: Shelf) -> Any:
    other = Shelf()
    TicketKeys.shared(other, bytes(32))
    return other.data


def of_another_ring(_: Shelf) -> Any:
    """Which would have a key that never ends."""
    return TicketKeys([TicketKey(bytes(16), bytes(64), 0.0, FOREVER, FOREVER)], rotate_every=None).to_bytes(
        WRAPPING_KEY
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (damaged, "are damaged"),
        (under_another_key, "another wrapping key"),
        (of_another_ring, r"a ring of to_bytes\(\), not the keys of a fleet"),
        (lambda _: b"text", "are no ticket keys"),
    ],
)
def test_a_value_that_does_not_open_changes_nothing_and_is_not_overwritten(
    make: Callable[[Shelf], Any], message: str, unraisable: list[Any]
) -> None:
    store = Shelf()
    ring = shared(store)
    known = ring.keys
    wrong = store.data = make(store)
    shift_clock(REFRESH + 1)
    use(ring)
    later = shared(store)
    assert [type(error) for error in unraisable] == [ValueError, ValueError]
    assert all(re.search(message, str(error)) for error in unraisable)
    assert ring.keys == known
    assert not later.keys
    shift_clock(DUE)
    use(ring)
    use(later)
    assert store.data == wrong
    store.data = None  # by an operator
    shift_clock(DUE + REFRESH + 1)
    use(ring)
    use(later)
    assert names(later) == names(ring) >= {each.name for each in known}


def test_an_empty_value_is_none() -> None:
    store = Shelf()
    store.data = b""
    assert names(shared(store)) == names(shared(store))
    assert store.stores == 1


def test_an_empty_file_gets_the_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.touch()
    assert names(shared(FileTicketKeyStore(path))) == names(shared(FileTicketKeyStore(path)))


@pytest.mark.parametrize(
    "error", [tls.SSLCertVerificationError(1, "the certificate has ended"), json.JSONDecodeError("damaged", "", 0)]
)
def test_a_process_starts_without_its_store_whatever_that_raises(error: Exception, unraisable: list[Any]) -> None:
    store = Shelf()
    store.broken = error
    ring = shared(store)
    assert unraisable == [error]
    store.broken = None
    shift_clock(REFRESH + 1)
    use(ring)
    assert len(ring.keys) == 1


@pytest.mark.parametrize("answer", [5, ("version",), [1, b""], ("version", None), ("version", "text")])
def test_what_is_no_store_is_refused_at_the_start(answer: Any) -> None:
    store = Shelf()
    store.load = lambda: answer  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        shared(store)


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


def test_a_lock_that_nobody_gives_back_is_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unraisable: list[Any]
) -> None:
    monkeypatch.setattr(FileTicketKeyStore, "_PATIENCE", 0.05)
    store = FileTicketKeyStore(tmp_path / "keys")
    with store._lock():
        ring = shared(store)
    [error] = unraisable
    assert isinstance(error, TimeoutError)
    assert "another process has it locked for 0.05 seconds: " in str(error)
    assert error.filename == f"{tmp_path}/keys.lock"
    shift_clock(REFRESH + 1)
    use(ring)
    assert len(ring.keys) == 1


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
