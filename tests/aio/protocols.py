"""Protocols that record their callbacks."""

from __future__ import annotations

import asyncio
from typing import Any


class Recorder(asyncio.Protocol):
    """Records what a protocol is told; `keep_open` is what its eof_received() returns."""

    def __init__(self, *, keep_open: bool = False) -> None:
        self.keep_open = keep_open
        self.transport: Any = None
        self.data = bytearray()
        self.told: list[str] = []
        self.error: BaseException | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self._changed = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._tell("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        self.data += data
        self._changed.set()

    def eof_received(self) -> bool:
        self._tell("eof")
        return self.keep_open

    def connection_lost(self, exc: BaseException | None) -> None:
        self.error = exc
        self._tell("lost")

    def pause_writing(self) -> None:
        self.writable.clear()
        self._tell("pause")

    def resume_writing(self) -> None:
        self.writable.set()
        self._tell("resume")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._changed.set()

    async def until(self, condition: Any) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def receive(self, size: int) -> bytes:
        """All that was received, once it is at least `size` bytes."""
        await self.until(lambda: len(self.data) >= size)
        return bytes(self.data)

    async def hear(self, what: str) -> None:
        await self.until(lambda: what in self.told)

    async def lost(self) -> BaseException | None:
        await self.hear("lost")
        assert self.told.count("lost") == 1
        return self.error


class Echo(Recorder):
    """Sends back what it receives."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(data)


class Buffered(asyncio.BufferedProtocol):
    """Provides buffers of `size` bytes, each as `make` returns it, and keeps what was written into them."""

    def __init__(self, make: Any, size: int) -> None:
        self.make = make
        self.size = size
        self.data = bytearray()
        self.full = asyncio.Event()
        self.expected = 0

    def get_buffer(self, sizehint: int) -> Any:
        self.memory = bytearray(self.size)
        return self.make(self.memory)

    def buffer_updated(self, nbytes: int) -> None:
        assert 0 < nbytes <= self.size
        self.data += self.memory[:nbytes]
        if len(self.data) >= self.expected:
            self.full.set()

    async def receive(self, size: int) -> bytes:
        self.expected = size
        if len(self.data) < size:
            self.full.clear()
            await self.full.wait()
        return bytes(self.data)


def fill(transport: Any) -> int:
    """Writes until the kernel and the buffer are full, and returns how many bytes. The peer must not read."""
    block = bytes(256 * 1024)
    written = 0
    while transport.get_write_buffer_size() <= transport.get_write_buffer_limits()[1]:
        transport.write(block)
        written += len(block)
    return written
