"""The stores of shared ticket keys: what one has to be, and two, in a file and in Redis."""

from __future__ import annotations

import errno
import fcntl
from base64 import b64decode, b64encode
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING, Protocol

from wiretight._core.base.coroutines import no_coroutine
from wiretight._core.base.files import read_file
from wiretight._standard.system import os

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from wiretight._core.sslcontext import _Path


class TicketKeyStore(Protocol):
    """Where the processes of a fleet share their ticket keys: see TicketKeys.shared(). One value, of a few kilobytes.

    Any thread may call either method, but that of an asyncio loop only in shared() and rotate(). What they raise goes
    to sys.unraisablehook, once. Since 0.1. Source: an addition to `ssl`.
    """

    def load(self) -> tuple[object, bytes] | None:
        """(a version, the value), or None if there is none. A version is anything that another value differs in."""

    def store(self, data: bytes, version: object, /) -> bool:
        """Replaces the value, if it still has that version, or if there is still none for None; returns whether it has.

        In one step for all processes (compare and swap).
        """


class FileTicketKeyStore:
    """A TicketKeyStore in a file, for the processes of one user on one host.

    It is replaced as a whole, so that nobody reads a half of it. Beside it are `PATH.lock`, which writers lock, and
    `PATH.new`. Raises OSError where a file cannot be read or written, TimeoutError if it stays locked for five seconds.
    Since 0.1. Source: an addition to `ssl`.
    """

    __module__ = "wiretight"

    _PATIENCE = 5.0  # seconds for the lock: who was forked while a thread had it keeps it, if the parent dies then

    def __init__(self, path: _Path) -> None:
        self._path = os.path.abspath(os.fsdecode(path))

    def load(self) -> tuple[object, bytes] | None:
        """See TicketKeyStore. Since 0.1."""
        try:
            data = read_file(self._path)
        except FileNotFoundError:
            return None
        return data, data  # of which no two are the same: each has a nonce of its own

    def store(self, data: bytes, version: object, /) -> bool:
        """See TicketKeyStore. Since 0.1."""
        with self._lock():
            present = self.load()
            if version != (None if present is None else present[0]):
                return False
            with os.fdopen(self._open(".new", os.O_TRUNC), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._path + ".new", self._path)
        return True

    def _open(self, suffix: str, flags: int) -> int:
        return os.open(self._path + suffix, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        descriptor = self._open(".lock", 0)
        end = monotonic() + self._PATIENCE
        try:
            while not _locks(descriptor):
                if monotonic() > end:
                    message = f"another process has it locked for {self._PATIENCE:g} seconds"
                    raise TimeoutError(errno.ETIMEDOUT, message, self._path + ".lock")
                sleep(0.01)
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process that was forked meanwhile has the descriptor open, too
            os.close(descriptor)


def _locks(descriptor: int) -> bool:
    """Whether it does: a process that dies unlocks it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class RedisTicketKeyStore:
    """A TicketKeyStore under a name in Redis, or in what speaks its protocol and its Lua.

    `client` is the program's `redis.Redis`, or any client with get() and eval() that wait. Give it a `socket_timeout`:
    a thread that makes a connection may have to wait for it. Raises what the client raises. Since 0.1.
    Source: https://redis.io/docs/latest/commands/eval/; an addition to `ssl`.
    """

    __module__ = "wiretight"

    # A script runs as a whole. A missing value is false; none is ever empty.
    _EXCHANGE = """
        if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2])
        return 1
    """

    def __init__(self, client: Any, name: str = "wiretight:ticket-keys") -> None:
        if not (callable(getattr(client, "get", None)) and callable(getattr(client, "eval", None))):
            raise TypeError(f"client must be a redis.Redis, with get() and eval(), not {type(client).__name__}")
        self._client = client
        self._name = name

    def load(self) -> tuple[object, bytes] | None:
        """See TicketKeyStore. Since 0.1."""
        value = _answer(self._client.get(self._name))
        if value is None:
            return None
        text = value if isinstance(value, str) else value.decode("ascii", "replace")  # str: a client that decodes
        try:
            return text, b64decode(text, validate=True)
        except ValueError:
            raise ValueError(f"the value of {self._name!r} in Redis is no ticket keys: choose another name") from None

    def store(self, data: bytes, version: object, /) -> bool:
        """See TicketKeyStore. Since 0.1."""
        before = "" if version is None else version
        text = b64encode(data).decode("ascii")
        return bool(_answer(self._client.eval(self._EXCHANGE, 1, self._name, before, text)))


def _answer(value: Any) -> Any:
    try:
        return no_coroutine(value, "a command of Redis")
    except TypeError:
        problem = "RedisTicketKeyStore needs a client that waits: redis.Redis, not that of redis.asyncio"
        raise TypeError(problem) from None
