"""A ServerSessionCache."""

from __future__ import annotations


class Cache:
    """In a dict, with what it was asked."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}
        self.expires: list[float] = []
        self.calls: list[str] = []

    def put(self, id: bytes, data: bytes, expires: float) -> None:
        self.calls.append("put")
        self.held[id] = data
        self.expires.append(expires)

    def get(self, id: bytes) -> bytes | None:
        self.calls.append("get")
        return self.held.get(id)

    def remove(self, id: bytes) -> bool:
        self.calls.append("remove")
        return self.held.pop(id, None) is not None
