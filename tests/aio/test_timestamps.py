"""A socket with time stamps of what it has sent (SO_TIMESTAMPING): until they are read it is in error, and works.

libuv stops watching a descriptor in error, as it does after a reset, and uvloop forgets who waits for it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import pytest

from tests.aio.protocols import Echo, Recorder, fill

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has time stamps of what was sent")

# linux/net_tstamp.h, which the socket module of older Pythons does not know.
SO_TIMESTAMPING = 37
TX_SOFTWARE, SOFTWARE, OPT_ID, OPT_TSONLY = 1 << 1, 1 << 4, 1 << 7, 1 << 11

DATA = os.urandom(1 << 20)


def stamped(transport) -> socket.socket:
    """The socket of a transport, which from now on gets a time stamp for whatever it sends."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE | OPT_ID | OPT_TSONLY)
    return sock


def stamps(number: int) -> int:
    """Reads all that there are, and counts them."""
    found = 0
    with contextlib.suppress(BlockingIOError), socket.socket(fileno=os.dup(number)) as sock:
        while sock.recvmsg(1, 1024, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT):
            found += 1
    return found


@pytest.mark.parametrize("read", [True, False], ids=["read", "unread"])
def test_answers_arrive_whoever_reads_the_time_stamps(loops, ends, read):
    found = 0

    class Reading(Recorder):
        def data_received(self, data):
            nonlocal found
            super().data_received(data)
            found += stamps(self.number) if read else 0

    async def main():
        async with ends.connected(client=Reading, server=Echo) as (client, _):
            client.number = stamped(client.transport).fileno()
            for at in range(1, 6):
                client.transport.write(b"ping!")
                assert await client.receive(5 * at) == b"ping!" * at
            assert (found or stamps(client.number)) == 5

    loops.run(main)


def test_a_full_kernel_is_written_to_when_it_has_space(loops, ends):
    async def main():
        async with ends.connected(server=Echo) as (client, server):
            stamped(client.transport)
            server.transport.pause_reading()
            written = fill(client.transport)
            client.transport.pause_reading()
            server.transport.resume_reading()
            client.transport.resume_reading()
            await client.receive(written)

    loops.run(main)


def test_the_end_is_noticed(loops, ends):
    async def main():
        async with ends.connected(server=Echo) as (client, server):
            stamped(client.transport)
            client.transport.write(b"ping!")
            await client.receive(5)
            server.transport.write(DATA)
            server.transport.close()
            assert await client.lost() is None
            assert client.data == b"ping!" + DATA

    loops.run(main)
