"""Sharing: how the rings of a fleet keep their ticket keys in one store, and agree on when there is a new one."""

from __future__ import annotations

import sys

from wiretight._core.base.coroutines import no_coroutine, no_coroutine_function
from wiretight._core.session.sealing import WrappingKey, opened, sealed
from wiretight._core.session.ticketkeys import KeySet, clock
from wiretight._standard.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from wiretight._core.session.ticketkeys import KeyRing
    from wiretight._tls.ticketkeystores import TicketKeyStore

# In units of `refresh`, which is also the most by which clocks may differ.
_LEAD = 2  # between a key's appearance in the store and its first use: each process looks once in between
_MARGIN = 5  # what the newest key has left at least: the lead, two looks that fail, and the clocks
_SHORTEST = 8  # that a key encrypts

_ATTEMPTS = 100


class Sharing:
    """What a shared ring knows of its store."""

    __slots__ = ("_accept_for", "_most_expired", "_outlived", "_refresh", "_rotate_every", "_store", "_wrapping_key")

    def __init__(
        self, store: TicketKeyStore, wrapping_key: Buffer, refresh: float, rotate_every: float, accept_for: float
    ) -> None:
        for method in ("load", "store"):
            if isinstance(store, type) or not callable(getattr(store, method, None)):
                raise TypeError(f"store must be a TicketKeyStore, with load() and store(), not {_kind_of(store)}")
            no_coroutine_function(getattr(store, method), f"{method}() of a TicketKeyStore")
        if rotate_every < _SHORTEST * refresh:
            raise ValueError(f"rotate_every must be at least {_SHORTEST} times refresh, {_SHORTEST * refresh:g}")
        self._store = store
        self._wrapping_key = WrappingKey(wrapping_key)
        self._refresh = refresh
        self._rotate_every = rotate_every
        self._accept_for = accept_for
        self._most_expired = int(min(1000, 16 + 2 * accept_for / rotate_every))  # twice as many as a fleet has
        self._outlived: set[bytes] = set()  # the names of keys that have expired here, and are in the store

    def look(self, ring: KeyRing) -> None:
        """Has the ring learn what is new, maybe later: an event loop does not wait for a store. Since 0.1."""
        loop = _running_loop()
        if loop is None:
            self._look_here(ring)
            return
        try:
            future = loop.run_in_executor(None, _Look(self, ring))
        except RuntimeError:  # the executor has ended, and the loop is about to
            return
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # which has been reported

    def _look_here(self, ring: KeyRing) -> None:
        try:
            self.synchronize(ring)
        except BaseException as error:
            ring._looked(error)
            if not isinstance(error, Exception):
                raise
        else:
            ring._looked(None)

    def synchronize(self, ring: KeyRing, *, rotates: bool = False) -> KeySet:
        """Has the ring learn what the store has, and stores what that lacks: a new key, if one is due or `rotates`.

        Returns all keys, a new one as the last. Raises what the store raises; ValueError for a value that does not open
        under the wrapping key; RuntimeError if others were always faster. Since 0.1.
        """
        for _ in range(_ATTEMPTS):
            version, theirs = self._load()
            wanted = self._learn(ring, theirs)
            begin = self._begin(wanted)
            if rotates:  # also what has expired here, if it is our clock that is wrong
                wanted, theirs = wanted.ended(begin), theirs.ended(begin)
            if rotates or wanted.ends() < clock() + _MARGIN * self._refresh:
                wanted = self._with_new_key(wanted, begin)
            elif not theirs.lacks(wanted, self._refresh):
                return wanted
            # What had expired when it was seen first is not removed: it may be our clock that is wrong. But not all of
            # it stays, or a server that is always behind would fill the store.
            stored = wanted.with_expired(theirs, self._outlived, self._latest_begin(), self._most_expired)
            data = sealed(stored, self._wrapping_key, self._rotate_every, self._accept_for, True)
            has_stored: Any = no_coroutine(self._store.store(data, version), "store() of a TicketKeyStore")
            if not isinstance(has_stored, int):  # a future is true, too, whatever will come of it
                kind = type(has_stored).__name__
                raise TypeError(f"store() of a TicketKeyStore must return a bool, not {kind}")
            if has_stored:
                self._learn(ring, wanted)
                return wanted
        raise RuntimeError(f"the store of the ticket keys has changed {_ATTEMPTS} times while they were to be stored")

    def _load(self) -> tuple[object, KeySet]:
        """(a version, the keys). An empty value has no keys. One that does not open is never overwritten: it may be
        ours that is the wrong wrapping key.
        """
        loaded: Any = no_coroutine(self._store.load(), "load() of a TicketKeyStore")
        if loaded is None:
            return None, KeySet()
        if not isinstance(loaded, tuple) or len(loaded) != 2:
            raise TypeError(f"load() of a TicketKeyStore must return (version, data) or None, not {_kind_of(loaded)}")
        version, data = loaded
        return version, KeySet() if data == b"" else opened(data, self._wrapping_key, True)[0]

    def _latest_begin(self) -> float:
        """The last moment at which a key begins that is made now, by every clock that is not wrong. One that begins
        later is kept, because it may be our clock that is wrong, but takes no place from another.
        """
        return clock() + (_LEAD + 1) * self._refresh

    def _with_new_key(self, keys: KeySet, begin: float) -> KeySet:
        end = begin + self._rotate_every + (_MARGIN - _LEAD) * self._refresh  # if nobody could store the next one
        return keys.with_new_key(begin, end, end + self._accept_for, self._latest_begin())

    def _begin(self, keys: KeySet) -> float:
        """Of a new key. The first one, and one after a pause of all processes, begins at once, by every clock."""
        return clock() + (_LEAD if keys.encrypts() else -1) * self._refresh

    def _learn(self, ring: KeyRing, keys: KeySet) -> KeySet:
        """What the ring has known stays until it expires, so that a store may lose its data."""
        while True:
            before = ring._keys()
            after = before.merged(keys, self._latest_begin()).settled(self._refresh)
            if ring._replace(before, after):
                outlived = before.names() - after.names()
                self._outlived = (self._outlived | outlived) & keys.names()
                return after


class _Look:
    """A look in an executor, which may drop it before it has begun: shutdown(cancel_futures=True), also after the end
    of the loop, which calls nobody then. So the look itself says that it is over, or nobody would ever look again.
    """

    __slots__ = ("_has_begun", "_ring", "_sharing")

    def __init__(self, sharing: Sharing, ring: KeyRing) -> None:
        self._sharing = sharing
        self._ring = ring
        self._has_begun = False

    def __call__(self) -> None:
        self._has_begun = True
        self._sharing._look_here(self._ring)

    def __del__(self) -> None:
        if not self._has_begun:
            self._ring._looked(None)


def _running_loop() -> Any:
    """That of this thread; None without one, or without an import of asyncio."""
    asyncio = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()


def _kind_of(store: object) -> str:
    return f"the class {store.__name__}" if isinstance(store, type) else type(store).__name__
