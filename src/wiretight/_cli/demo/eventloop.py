"""The asyncio way: asyncio's own TLS, with our context as `ssl=`.

A BufferedProtocol and not streams, which fail on Python 3.10 if the peer closes while they have paused reading
(encode/httpx#1213). They can replace it when 3.10 is no longer supported.
"""

import asyncio
import socket
import time

from wiretight._cli.demo.download import Download
from wiretight._cli.demo.way import STALLED, Passage, Target
from wiretight._cli.negotiated import Negotiated


def fetch(target: Target, downloads: list[Download]) -> Passage:
    """Fetch one download after the other under asyncio."""
    return asyncio.run(_fetch(target, downloads))


async def _fetch(target: Target, downloads: list[Download]) -> Passage:
    passage = Passage()
    loop = asyncio.get_running_loop()
    for download in downloads:
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        raw.setblocking(False)
        try:
            await loop.sock_connect(raw, (target.host, target.port))
            begun = time.perf_counter()
            transport, fetching = await loop.create_connection(
                lambda download=download: _Fetching(download),  # type: ignore[misc]
                sock=raw,
                ssl=target.context,
                server_hostname=target.name,
            )
        except BaseException:
            raw.close()
            raise
        try:
            passage.handshakes.append(time.perf_counter() - begun)
            passage.negotiated = Negotiated.by(transport.get_extra_info("ssl_object"))
            transport.write(download.request)
            await fetching.finished()
        finally:
            # Closes as the other ways do, without waiting for the server's close_notify.
            transport.abort()
    return passage


class _Fetching(asyncio.BufferedProtocol):
    """Lets asyncio receive the response in place."""

    def __init__(self, download: Download) -> None:
        self._download = download
        self._ended = asyncio.get_running_loop().create_future()

    async def finished(self) -> None:
        """Wait for the last byte or the end of the stream. Raises TimeoutError if nothing arrives for a while."""
        while not self._ended.done():
            count = self._download.count
            await asyncio.wait([self._ended], timeout=STALLED)
            if not self._ended.done() and self._download.count == count:
                raise TimeoutError
        self._ended.result()

    def get_buffer(self, sizehint: int) -> memoryview:
        """The place for the next bytes; a dummy one if no more are expected."""
        return self._download.space() or memoryview(bytearray(sizehint))

    def buffer_updated(self, nbytes: int) -> None:
        """Count the received bytes."""
        if self._ended.done():
            return
        try:
            self._download.received(nbytes)
        except OSError as error:
            self._ended.set_exception(error)
        else:
            if self._download.complete:
                self._ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, early or not."""
        if not self._ended.done():
            if exc is None:
                self._ended.set_result(None)
            else:
                self._ended.set_exception(exc)
