"""Handshakes in an executor whose socket the program closes in the middle of a step: the next file has its number."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import pytest

from tests.aio.executors import STAGES, Held, Steps
from tests.aio.protocols import Recorder
from tests.aio.test_handshake_executor import Begun, non_blocking_pair, released, sides
from tests.aio.test_upgrade import descriptors_left
from tests.incidents.processes import Child, forks
from tests.kit.certificates import HOST
from wiretight import asyncio as native

OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture(params=STAGES)
def held(request):
    return Held(request.param)


def close_for_another(transport):
    """Closes the socket of a transport, and returns two sockets that are connected; the first has its number."""
    number = transport._sock.fileno()
    transport._sock.close()
    ours, other = socket.socketpair()
    if other.fileno() == number:
        ours, other = other, ours
    if ours.fileno() != number:
        os.dup2(ours.fileno(), number)
        ours.close()
        ours = socket.socket(fileno=number)
    ours.setblocking(False)
    other.setblocking(False)
    return ours, other


@sides
@pytest.mark.parametrize("ends_first", [False, True], ids=["in-a-handshake", "after-its-end"])
def test_a_step_neither_reads_nor_writes_the_next_file_with_its_number(loops, ends, held, side, ends_first):
    async def main():
        begun = await Begun.reach(held, ends, side)
        if ends_first:
            begun.transport.abort()
        ours, other = close_for_another(begun.transport)
        other.send(b"of another connection")
        await begun.let_go()
        with pytest.raises(OSError, match=r"closed|descriptor"):
            await begun.waiter
        await released(begun.transport)
        assert ours.recv(100) == b"of another connection"
        with pytest.raises(BlockingIOError):
            other.recv(100)
        for sock in (ours, other, begun.peer):
            sock.close()

    loops.run(main)


@sides
def test_the_next_connection_with_its_number_is_still_watched(loops, ends, held, side):
    async def main():
        begun = await Begun.reach(held, ends, side)
        ours, other = close_for_another(begun.transport)
        reader, writer = await asyncio.open_connection(sock=ours)
        other.send(b"before")
        assert await reader.readexactly(6) == b"before"
        await begun.let_go()
        with pytest.raises(OSError, match="descriptor"):
            await begun.waiter
        await released(begun.transport)
        other.send(b"after")
        assert await reader.readexactly(5) == b"after"
        writer.close()
        other.close()
        begun.peer.close()

    loops.run(main)


def test_the_peer_hears_of_the_end_of_a_step_whose_socket_was_closed(loops, ends, held):
    async def main():
        begun = await Begun.reach(held, ends, "client")
        begun.transport._sock.close()
        await begun.let_go()
        with pytest.raises(OSError, match="descriptor"):
            await begun.waiter
        await begun.closes()

    loops.run(main)


def test_without_a_descriptor_for_the_thread_the_loop_takes_the_step(loops, ends):
    async def main():
        near, far = non_blocking_pair()
        contexts, steps = (ends.client_context(), ends.server_context()), Steps()
        for context in contexts:
            context.handshake_executor = steps
        with descriptors_left(0):
            (client, _), (server, _) = await asyncio.gather(
                native.create_connection(Recorder, sock=near, ssl=contexts[0], server_hostname=HOST),
                native.connect_accepted_socket(Recorder, far, ssl=contexts[1]),
            )
        assert steps._steps.empty()
        for transport in (client, server):
            transport.abort()
            await released(transport)

    loops.run(main)


@forks
@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="only Linux lists the open files of a process there")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_child_that_ends_the_transport_leaves_no_descriptor_of_its_connection_open(loops, ends, held):
    async def main():
        begun = await Begun.reach(held, ends, "client")

        def end():
            before = len(list(OPEN_FILES.iterdir()))
            begun.transport.abort()
            assert len(list(OPEN_FILES.iterdir())) == before - 2  # the socket's, and that of the thread

        child = Child(end)
        assert await asyncio.to_thread(child.succeeded)
        begun.transport.abort()
        await begun.let_go()
        await begun.closes()
        with contextlib.suppress(ConnectionAbortedError):
            await begun.waiter

    loops.run(main)
