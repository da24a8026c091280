"""TicketKeys: a ring of keys for session tickets, which changes in time.

Its keys and what is done with them is native (session/ticketkeys.pyx); this is when a new one is made. There is no
thread: whoever makes a connection renews what is due.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, NamedTuple

from wiretight._core.base.files import read_file
from wiretight._core.session.sealing import WrappingKey, opened, sealed
from wiretight._core.session.ticketkeys import KeyRing, KeySet, clock, key_of_file
from wiretight._tls.seconds import seconds, seconds_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

    from typing_extensions import Buffer, Self

    from wiretight._core.sslcontext import _Path
    from wiretight._tls.ticketkeystores import TicketKeyStore
    from wiretight._tls.ticketsharing import Sharing

_NGINX_SIZES = (48, 80)
_FOREVER = float("inf")


class TicketKey(NamedTuple):
    """A key for session tickets: a named tuple.

    - `name`: 16 bytes, which each ticket begins with;
    - `secret`: 64 bytes, of HMAC-SHA-256 and then of AES-256, or 32, of AES-128 and then of HMAC-SHA-256;
    - `not_before`, `encrypt_until`, `expires`: seconds since 1970. It encrypts from the first to the second, unless
      there is one that begins later, and opens tickets until the third, also before the first.

    Its repr has no secret, and pickle refuses it. Since 0.1. Source: RFC 5077, section 4; nginx's
    `ssl_session_ticket_key`.
    """

    name: bytes
    secret: bytes
    not_before: float
    encrypt_until: float
    expires: float

    def __repr__(self) -> str:
        times = f"not_before={self.not_before!r}, encrypt_until={self.encrypt_until!r}, expires={self.expires!r}"
        return f"TicketKey(name={self.name!r}, secret=<{len(self.secret)} bytes>, {times})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle 'TicketKey' object: it is a secret; send TicketKeys.to_bytes(wrapping_key)")


TicketKey.__module__ = "wiretight"


class TicketKeys(KeyRing):
    """Keys for session tickets, which contexts share: see SSLContext.ticket_keys.

    Without `keys` it makes one. A new key is made every `rotate_every` seconds, by whoever makes a connection then;
    each opens tickets for `accept_for` seconds after its last use, and is forgotten then. With `rotate_every=None` the
    `keys` are all there are, and no tickets are issued when none of them may encrypt any more.

    Processes that are forked from one that has a ring have its keys, and rotate on their own from then on: let them
    share a store instead, see shared().

    Raises TypeError for what is no TicketKey; ValueError for no keys that are never made, for two of one name, for
    times in the wrong order, a name or secret of the wrong length, and more than 1000 keys. Since 0.1.
    Source: RFC 5077, section 5.5; an addition to `ssl`.
    """

    __module__ = "wiretight"

    _rotate_every: float | None
    _accept_for: float
    _sharing: Sharing | None = None

    def __init__(
        self, keys: Iterable[TicketKey] = (), *, rotate_every: float | None = 43200, accept_for: float = 604800
    ) -> None:
        given = tuple(keys)
        for key in given:
            if not isinstance(key, TicketKey):
                raise TypeError(f"keys must be TicketKey objects, not {type(key).__name__}")
        if not given and rotate_every is None:
            raise ValueError("a ring without keys has to make its own: pass keys, or seconds as rotate_every")
        self._configure(rotate_every, accept_for)
        self._replace(self._keys(), KeySet(given))
        self._renew()

    def _configure(self, rotate_every: float | None, accept_for: float, refresh: float = 0) -> None:
        self._rotate_every = seconds_or_none("rotate_every", rotate_every)
        self._accept_for = seconds("accept_for", accept_for, zero=True)
        self._set_times(refresh, rotate_every is not None)

    @classmethod
    def from_files(cls, encrypt: _Path, *decrypt: _Path) -> Self:
        """The keys of nginx's `ssl_session_ticket_key`, binary files of 80 or 48 bytes: the first encrypts, the others
        only open tickets. Files of HAProxy's `tls-ticket-keys`, with a key in Base64 on each line, may be passed, too:
        of such a first one the last key but one encrypts, as there.

        The keys have no end: the program that renews the files sets another ring then. Raises OSError if a file cannot
        be read, ValueError if it is neither. Since 0.1. Source: nginx's ngx_http_ssl_module; HAProxy's manual.
        """
        first = _keys_of(encrypt)
        chosen = first.pop(max(len(first) - 2, 0))
        others = [*first, *(key for path in decrypt for key in _keys_of(path))]
        keys = [TicketKey(*chosen, 0.0, _FOREVER, _FOREVER)]
        keys += [TicketKey(*key, 0.0, 0.0, _FOREVER) for key in others]
        return cls(keys, rotate_every=None)

    @classmethod
    def from_bytes(cls, data: Buffer, wrapping_key: Buffer) -> Self:
        """The ring that to_bytes() made these bytes of, with its times.

        Raises ValueError for other bytes, damaged ones, and another wrapping key. Since 0.1.
        """
        keys, rotate_every, accept_for = opened(data, WrappingKey(wrapping_key))
        ring = cls.__new__(cls)
        ring._configure(rotate_every or None, accept_for)
        ring._replace(ring._keys(), keys)
        return ring

    @classmethod
    def shared(
        cls,
        store: TicketKeyStore,
        wrapping_key: Buffer,
        *,
        refresh: float = 60,
        rotate_every: float = 43200,
        accept_for: float = 604800,
    ) -> Self:
        """A ring that all processes with the same store and wrapping key share, on as many hosts as there are.

        The store has one value: the keys, encrypted under `wrapping_key`, 32 bytes that every process has from where it
        has its other secrets. Whoever makes a connection looks for new keys if the last look was `refresh` seconds ago;
        with an event loop of asyncio in the loop's default executor. shared() itself and rotate() wait for the store. A
        new key is stored twice `refresh` before it is used, so that every process that makes connections knows it by
        then. Clocks may differ by `refresh`; a process whose clock is further off may lack tickets that others resume:
        what it adds is opened, and not relied on.

        What a store raises goes to sys.unraisablehook, once, and the keys that are known are used on; when none of them
        may encrypt any more, no tickets are issued until the store is back. A key that is known stays until it expires,
        and is stored again if the store has lost it: it is revoked by another wrapping key and another place in the
        store.

        Raises ValueError for a wrapping key of another length, and for a `rotate_every` of less than eight times
        `refresh`; TypeError for what is no store. A value in the store that does not open, as under another wrapping
        key, is like a store that is gone, and nobody overwrites it. Since 0.1. Source: an addition to `ssl`.
        """
        from wiretight._tls.ticketsharing import Sharing

        ring = cls.__new__(cls)
        ring._configure(seconds("rotate_every", rotate_every), accept_for, seconds("refresh", refresh))
        ring._sharing = Sharing(store, wrapping_key, refresh, rotate_every, accept_for)
        try:
            ring._sharing.synchronize(ring)
        except TypeError:  # no store: a mistake, which should not wait for the first connection
            raise
        except Exception as error:
            ring._looked(error)
        return ring

    @property
    def keys(self) -> tuple[TicketKey, ...]:
        """All keys that it has, also those that only open tickets by now. Since 0.1."""
        return tuple(TicketKey(*key) for key in self._keys().tuples())

    def rotate(self) -> TicketKey:
        """Makes a key now, and returns it; the others only open tickets from then on, even one that was to begin later.
        A shared ring stores it first, and uses it when every process knows it, after twice `refresh`.

        Raises ValueError with `rotate_every=None` and for a ring of files; on a shared ring, what its store raises.
        Since 0.1.
        """
        if self._sharing is not None:
            return TicketKey(*self._sharing.synchronize(self, rotates=True).last())
        while True:
            before = self._keys()
            after = self._with_new_key(before, rotates=True)
            if self._replace(before, after):
                return TicketKey(*after.last())

    def to_bytes(self, wrapping_key: Buffer) -> bytes:
        """The keys and their times, encrypted and authenticated with AES-256-GCM under `wrapping_key` (32 bytes).

        Raises ValueError for another length, TypeError for what is not bytes-like. Since 0.1.
        """
        return sealed(self._keys(), WrappingKey(wrapping_key), self._rotate_every or 0.0, self._accept_for)

    def _ends(self) -> float | None:
        """When no key may encrypt any more, unless another comes from somewhere else. None: never."""
        if self._sharing is None and self._rotate_every is not None:
            return None
        end = self._keys().ends()
        return None if end == _FOREVER else end

    def _look(self) -> None:
        if self._sharing is not None:
            self._sharing.look(self)

    def _renew(self) -> None:
        before = self._keys()
        if self._rotate_every is not None and not before.encrypts():
            self._replace(before, self._with_new_key(before))

    def _with_new_key(self, keys: KeySet, *, rotates: bool = False) -> KeySet:
        if self._rotate_every is None:
            raise ValueError("the keys of this ring are those that it was given: make another ring of others")
        begin = clock()
        end = begin + self._rotate_every
        if rotates:
            keys = keys.ended(0)  # for ever: the clock may be set back
        return keys.with_new_key(begin, end, end + self._accept_for, _FOREVER)


def _keys_of(path: _Path) -> list[tuple[bytes, bytes]]:
    """(name, secret) of each."""
    content = read_file(path)
    if len(content) in _NGINX_SIZES:
        return [key_of_file(content)]
    try:
        lines = [b64decode(line, validate=True) for line in content.split()]
        if lines and all(len(line) in _NGINX_SIZES for line in lines):
            return [key_of_file(line) for line in lines]
    except ValueError:
        pass
    where: Any = path
    raise ValueError(f"{where!r} has no ticket keys: it should have 80 or 48 bytes, or such keys in Base64, one a line")
