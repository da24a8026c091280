"""What a program may do wrong with sessions: see misuses.py."""

from __future__ import annotations

import pickle
from typing import Any

from tests.kit.caches import Cache
from tests.kit.misuses import ATTRIBUTE, FROZEN, RUNTIME, TYPE, VALUE, Line, accept, deleting, setting
from wiretight import MemorySessionStore

OF_SESSIONS: dict[str, list[Line]] = {
    "SSLContext.new_session_callback": [
        *((setting("client", "new_session_callback", wrong), TYPE, f"must be callable or None, not {kind}")
          for wrong, kind in (("sessions", "str"), (b"", "bytes"), (1, "int"), (object(), "object"))),
        (setting("server", "new_session_callback", accept), VALUE, "is for clients: it needs a context made with"),
        (setting("frozen_client", "new_session_callback", accept), RUNTIME, FROZEN),
        (deleting("client", "new_session_callback"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.session_store": [
        *((setting("client", "session_store", wrong), TYPE, f"must have the methods put.. and take.., .*, not {kind}")
          for wrong, kind in (({}, "dict"), ("sessions.db", "str"), (1, "int"), (object(), "object"))),
        (setting("server", "session_store", MemorySessionStore()), VALUE, "needs a context made with PROTOCOL_TLS_CLI"),
        (setting("frozen_client", "session_store", MemorySessionStore()), RUNTIME, FROZEN),
        (deleting("client", "session_store"), ATTRIBUTE, "delete"),
        (lambda it: pickle.dumps(with_store(it.client)), TYPE, "cannot pickle a context that has a session_store"),
    ],
    "MemorySessionStore": [
        (lambda _: MemorySessionStore(0), VALUE, "capacity must be at least 1, not 0"),
        (lambda _: MemorySessionStore(-1), VALUE, "capacity must be at least 1, not -1"),
        (lambda _: MemorySessionStore("10"), TYPE, "str"),
        (lambda _: MemorySessionStore(2**64), OverflowError, "too large"),
        (lambda _: pickle.dumps(MemorySessionStore()), TYPE, "sessions are secrets"),
    ],
    "MemorySessionStore.put": [
        (lambda it: MemorySessionStore().put(b"key", it.pair.client.session), TYPE, "key"),
        (lambda it: MemorySessionStore().put(None, it.pair.client.session), TYPE, "key"),
        (lambda _: MemorySessionStore().put("key", None), TYPE, "session"),
        (lambda _: MemorySessionStore().put("key", b"session"), TYPE, "session"),
    ],
    "MemorySessionStore.take": [
        (lambda _: MemorySessionStore().take(b"key"), TYPE, "key"),
        (lambda _: MemorySessionStore().take(None), TYPE, "key"),
        (lambda _: MemorySessionStore().take(), TYPE, "argument"),
    ],
    "SSLContext.session_timeout": [
        *((setting("server", "session_timeout", wrong), VALUE, "must be a whole number of seconds from 1 to 604800")
          for wrong in (0, -1, 0.5, 604_801, float("inf"), float("nan"))),
        *((setting("server", "session_timeout", wrong), TYPE, "must be a whole number of seconds")
          for wrong in ("60", None, b"60")),
        (setting("client", "session_timeout", 60), VALUE, "is for servers: it needs a context made with"),
        (setting("frozen_server", "session_timeout", 60), RUNTIME, FROZEN),
        (deleting("server", "session_timeout"), ATTRIBUTE, "delete|deleter"),
    ],
    "SSLContext.session_id_context": [
        *((setting("server", "session_id_context", wrong), TYPE, f"must be bytes or None, not {kind}")
          for wrong, kind in (("shop", "str"), (7, "int"), (bytearray(b"x"), "bytearray"))),
        (setting("server", "session_id_context", b""), VALUE, "must not be empty"),
        (setting("client", "session_id_context", b"shop"), VALUE, "is for servers: it needs a context made with"),
        (setting("frozen_server", "session_id_context", b"shop"), RUNTIME, FROZEN),
        (deleting("server", "session_id_context"), ATTRIBUTE, "delete|deleter"),
    ],
    "SSLContext.server_session_cache": [
        *((setting("server", "server_session_cache", wrong), TYPE, f"must have the methods put.., .*, not {kind}")
          for wrong, kind in (({}, "dict"), ("redis://", "str"), (1, "int"), (MemorySessionStore(), "MemorySessionS"))),
        (setting("client", "server_session_cache", Cache()), VALUE, "is for servers: it needs a context made with"),
        (setting("frozen_server", "server_session_cache", Cache()), RUNTIME, FROZEN),
        (deleting("server", "server_session_cache"), ATTRIBUTE, "delete|deleter"),
        (lambda it: pickle.dumps(with_cache(it.server)), TYPE, "cannot pickle a context that has a server_session_ca"),
    ],
    "SSLContext.load_session": [
        *((lambda it, wrong=wrong: it.client.load_session(wrong), TYPE, f"data should be a bytes-like .*, not {kind}")
          for wrong, kind in (("session", "str"), (None, "NoneType"), (7, "int"))),
        *((lambda it, wrong=wrong: it.client.load_session(wrong), VALUE, "data is no session")
          for wrong in (b"", b"WTS", bytes(100), bytes(2**20))),
        (lambda it: it.client.load_session(), TYPE, "data"),
        (lambda it: it.server.load_session(a_session(it)), VALUE, "load_session.. is for clients"),
    ],
    "SSLSession.to_bytes": [
        (lambda it: it.pair.server.session.to_bytes(), VALUE, "only the session of a client"),
        (lambda it: it.pair.client.session.to_bytes(1), TYPE, "argument"),
    ],
}  # fmt: skip


def with_store(context: Any) -> Any:
    copied = context.copy()
    copied.session_store = MemorySessionStore()
    return copied


def with_cache(context: Any) -> Any:
    copied = context.copy()
    copied.server_session_cache = Cache()
    return copied


def a_session(it: Any) -> bytes:
    """As far as it is looked at before the context."""
    return b"WTS\x02" + bytes(40)
