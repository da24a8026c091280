"""Sessions beyond one connection and one process."""

from typing_extensions import assert_type

import wiretight


class Cache:
    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def put(self, id: bytes, data: bytes, expires: float) -> None:
        self.held[id] = data

    def get(self, id: bytes) -> bytes | None:
        return self.held.get(id)

    def remove(self, id: bytes) -> bool:
        return self.held.pop(id, None) is not None


def use(context: wiretight.SSLContext, session: wiretight.SSLSession) -> None:
    assert_type(session.to_bytes(), bytes)
    assert_type(session.max_early_data, int)
    assert_type(context.load_session(session.to_bytes()), wiretight.SSLSession)
    context.server_session_cache = Cache()
    context.server_session_cache = None
    assert_type(context.session_timeout, float)
    context.session_timeout = 600
    context.session_id_context = b"shop"
    context.session_id_context = None


def misuse(context: wiretight.SSLContext) -> None:
    context.load_session("session")  # type: ignore[arg-type]
    context.server_session_cache = wiretight.MemorySessionStore()  # type: ignore[assignment]
    context.session_id_context = "shop"  # type: ignore[assignment]
