"""Where a program runs: a connection, always with a peer of the standard `ssl`, so that only one side can differ."""

from __future__ import annotations

import contextlib
import ssl as standard
from types import ModuleType
from typing import Any

from tests.kit.certificates import Certificates
from tests.kit.pair import WANT, attempt
from tests.kit.records import records


class Contexts:
    """One context of each role per module and version: a connection costs little, a context much."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._made: dict[Any, Any] = {}

    def get(self, module: ModuleType, version: Any, side: str) -> Any:
        key = (module, version, side)
        if key not in self._made:
            make = {"client": self._certificates.client_context, "server": self._certificates.server_context}[side]
            self._made[key] = make(version, module=module)
        return self._made[key]


class Place:
    """Where a program runs: `it`, the connection under test, its `peer`, and what passes from one to the other."""

    def __init__(self, module: ModuleType, version: Any, contexts: Contexts, side: str) -> None:
        other = "server" if side == "client" else "client"
        self.module = module
        self.contexts = {side: contexts.get(module, version, side), other: contexts.get(standard, version, other)}
        self.context = self.contexts[side]
        self.stack = contextlib.ExitStack()
        self.it: Any = None
        self.peer: Any = None

    def close(self) -> None:
        self.stack.close()

    def forget_what_left(self) -> None:
        """What the way into the state has sent is not what the program sends."""

    def records(self) -> list[tuple[int, int]]:
        """Type and length of every record that has left since."""
        return [(record.type, len(record.raw)) for record in records(self.flight())]

    def flight(self) -> bytes:
        raise NotImplementedError

    def arrivals(self) -> tuple[bytes, Any]:
        """What the peer makes of it: the data, and what comes behind."""
        data = b""
        try:
            while (part := attempt(self.peer.read, 65536)) is not WANT and part:
                data += part
        except (OSError, ValueError) as error:
            return data, type(error).__name__
        return data, "open" if part is WANT else "close_notify"
