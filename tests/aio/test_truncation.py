"""A transport reports a truncated stream: connection_lost() gets SSLEOFError, and eof_received() is not called."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

import wiretight.asyncio
from tests.incidents.references import reference
from tests.incidents.test_truncation import DATA, RECORD, SIZE, flight_of
from tests.kit.certificates import HOST
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE


class Recorder(asyncio.Protocol):
    """What a connection received, and how it ended."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.at_eof = False
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.at_eof = True

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set_result(error)


@pytest.mark.parametrize("cut", [0, 1, 5, RECORD // 2, RECORD + 22, 2 * RECORD, SIZE, -1])
@reference("MagicStack/uvloop#471")
def test_asyncio_learns_of_an_end_only_from_close_notify(client_context: Any, server_context: Any, cut: int) -> None:
    async def run() -> None:
        near, far = socket.socketpair()
        far.setblocking(False)
        incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        server = server_context.wrap_bio(incoming, outgoing, server_side=True)
        loop = asyncio.get_running_loop()

        async def shake_hands() -> None:
            done = False
            while not done:
                try:
                    server.do_handshake()
                    done = True
                except tls.SSLWantReadError:
                    pass
                await loop.sock_sendall(far, outgoing.read())
                if not done:
                    incoming.write(await loop.sock_recv(far, SIZE))

        shaking = loop.create_task(shake_hands())
        _, recorder = await wiretight.asyncio.create_connection(
            Recorder, sock=near, ssl=client_context, server_hostname=HOST, ssl_handshake_timeout=PATIENCE
        )
        await shaking
        raw = flight_of(server, outgoing)
        with far:
            await loop.sock_sendall(far, raw[:cut])
        assert isinstance(await recorder.ended, tls.SSLEOFError)
        assert not recorder.at_eof
        assert DATA.startswith(bytes(recorder.data))

    asyncio.run(run())
