"""A session store that tells what it was asked."""

from __future__ import annotations

from typing import Any

from tests.kit.subject import tls


class Recorder:
    """A store, and what it was asked."""

    def __init__(self) -> None:
        self.sessions = tls.MemorySessionStore()
        self.asked: list[str] = []
        self.got: list[str] = []

    def put(self, key: str, session: Any) -> None:
        self.got.append(key)
        self.sessions.put(key, session)

    def take(self, key: str) -> Any:
        self.asked.append(key)
        return self.sessions.take(key)
