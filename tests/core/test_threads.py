"""One connection, used by four threads: a reader and a writer on each end."""

from __future__ import annotations

import array
import hashlib
import random
import select
import socket
import sys
import threading
from typing import Any

import pytest

from tests.core.peer import asleep, until
from tests.kit.deliveries import shut
from tests.kit.sockets import BLOCKING, WITH_TIMEOUT, handshake, tcp_pair, tls_sockets
from tests.kit.threads import PATIENCE, Task

LARGEST = 200_000

waiting = pytest.mark.parametrize("mode", [BLOCKING, WITH_TIMEOUT], ids=lambda mode: mode.name)


def stream(start: int, size: int) -> bytes:
    """Bytes `start` to `start + size` of a stream of 64-bit numbers in order: every byte has one place only."""
    first, last = start // 8, (start + size + 7) // 8
    numbers = array.array("Q", range(first, last))
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()[start - 8 * first :][:size]


def some_size(chance: random.Random) -> int:
    """As many small as large ones."""
    return int(LARGEST ** chance.random())


class Writer:
    """Sends the stream in pieces of random sizes, by send() and by sendall(), until it is stopped."""

    def __init__(self, sock: Any, seed: int) -> None:
        self.sock = sock
        self.chance = random.Random(seed)
        self.digest = hashlib.sha256()
        self.sent = 0
        self.stop = threading.Event()

    def run(self) -> int:
        while not self.stop.is_set():
            data = stream(self.sent, some_size(self.chance))
            if self.chance.random() < 0.5:
                self.sock.sendall(data)
                count = len(data)
            else:
                count = self.sock.send(data)
            self.digest.update(data[:count])
            self.sent += count
        return self.sent


class Reader:
    """Receives pieces of random sizes, by recv() and by recv_into(), and compares each byte with the stream."""

    def __init__(self, sock: Any, seed: int, moved: threading.Event | None = None, enough: int = 0) -> None:
        self.sock = sock
        self.chance = random.Random(seed)
        self.digest = hashlib.sha256()
        self.received = 0
        self.moved = moved  # set when `enough` bytes have come
        self.enough = enough

    def run(self) -> int:
        buffer = bytearray(LARGEST)
        while True:
            size = some_size(self.chance)
            if self.chance.random() < 0.5:
                data = self.sock.recv(size)
            else:
                data = bytes(memoryview(buffer)[: self.sock.recv_into(buffer, size)])
            if not data:
                return self.received
            assert data == stream(self.received, len(data)), f"wrong bytes after byte {self.received}"
            self.digest.update(data)
            self.received += len(data)
            if self.moved is not None and self.received > self.enough:
                self.moved.set()


def test_a_recv_ends_quietly_while_both_ends_shut_down_writing(client_context, server_context):
    """Whichever close_notify is first: 6 of 400 raised SSLZeroReturnError, in the thread that has shut down nothing."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(400):
            with tls_sockets(client_context, server_context) as (client, server):
                receiving = Task(client.recv, 10)
                ending = Task(server.shutdown, socket.SHUT_WR)
                client.shutdown(socket.SHUT_WR)
                ending.result()
                assert receiving.result() == b""
    finally:
        sys.setswitchinterval(interval)


@waiting
def test_a_blocked_recv_does_not_delay_a_send(client_context, server_context, mode):
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        for number in range(50):
            started = threading.Event()

            def receive(started: threading.Event = started) -> Any:
                started.set()
                return client.recv(100)

            receiving = Task(receive)
            assert started.wait(PATIENCE)
            for _ in range(5):
                client.sendall(b"ping")
                assert server.recv(4) == b"ping"
            assert receiving.running
            server.sendall(b"%d" % number)
            assert receiving.result() == b"%d" % number


@waiting
def test_a_blocked_recv_does_not_delay_a_long_send(client_context, server_context, mode):
    """Longer than the buffers of the kernel: the send waits too, at the same time."""
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        receiving = Task(client.recv, 100)
        arriving = Task(Reader(server, 5).run)
        for at in range(0, 32_000_000, 8_000_000):
            client.sendall(stream(at, 8_000_000))
        assert receiving.running
        server.sendall(b"now")
        assert receiving.result() == b"now"
        client.shutdown(socket.SHUT_WR)
        assert arriving.result() == 32_000_000


@waiting
def test_a_blocked_send_does_not_delay_a_recv(client_context, server_context, mode):
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        sending = Task(client.sendall, stream(0, 64_000_000))
        for number in range(50):
            server.sendall(b"%d" % number)
            assert client.recv(100) == b"%d" % number
        assert sending.running
        arriving = Task(Reader(server, 6).run)
        sending.result()
        client.shutdown(socket.SHUT_WR)
        assert arriving.result() == 64_000_000


def test_many_readers_and_writers_share_the_data(client_context, server_context):
    """Not only one of each: the records of several senders are whole, and each is received once."""
    line = 100
    with tls_sockets(client_context, server_context) as (client, server):

        def send(name: bytes) -> None:
            for _ in range(500):
                client.sendall(name * line)

        def receive(into: list[bytes]) -> None:
            while data := server.recv(line):
                into.append(data)

        parts: list[list[bytes]] = [[], [], []]
        receiving = [Task(receive, part) for part in parts]
        for task in [Task(send, name) for name in (b"a", b"b", b"c")]:
            task.result()
        client.shutdown(socket.SHUT_WR)
        for task in receiving:
            task.result()
        received = [data for part in parts for data in part]
        assert sorted(received) == [b"a" * line] * 500 + [b"b" * line] * 500 + [b"c" * line] * 500


# --- The end, in mid-flight -------------------------------------------------------------------------------------------


def close_locally(client: Any, server: Any) -> None:
    client.close()


def close_by_the_peer(client: Any, server: Any) -> None:
    server.close()


def shut_down_the_transport(client: Any, server: Any) -> None:
    shut(client)


def shut_down_writing(client: Any, server: Any) -> None:
    """close_notify, and a FIN behind it."""
    client.shutdown(socket.SHUT_WR)


def shut_down_both_ways(client: Any, server: Any) -> None:
    client.shutdown(socket.SHUT_RDWR)


def close_both_at_once(client: Any, server: Any) -> None:
    closing = Task(server.close)
    client.close()
    closing.result()


def close_one_twice_at_once(client: Any, server: Any) -> None:
    closing = Task(client.close)
    client.close()
    closing.result()


ENDS = [
    close_locally,
    close_by_the_peer,
    shut_down_the_transport,
    shut_down_writing,
    shut_down_both_ways,
    close_both_at_once,
    close_one_twice_at_once,
]


def how_it_ended(task: Task) -> str:
    """Returns the kind of a documented end; anything else is raised."""
    try:
        task.result()
    except (OSError, ValueError) as error:  # SSLError and TimeoutError are OSErrors
        return type(error).__name__
    return "end of stream"


@waiting
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_connection_that_ends_during_calls_raises_documented_errors(client_context, server_context, end, mode):
    for seed in range(25):
        chance = random.Random(seed)
        plain_client, plain_server = tcp_pair()
        client = client_context.wrap_socket(plain_client, server_hostname="localhost", do_handshake_on_connect=False)
        server = server_context.wrap_socket(plain_server, server_side=True, do_handshake_on_connect=False)
        with client, server:
            handshake(client, server)
            client.settimeout(mode.timeout)
            server.settimeout(mode.timeout)
            # Some are ended before their first byte.
            moved = threading.Event()
            enough = chance.choice([0, 1, 1000, 100_000, 1_000_000])
            readers = [Reader(server, seed, moved, enough), Reader(client, seed + 100)]
            writers = [Writer(client, seed + 200), Writer(server, seed + 300)]
            at_client = [Task(readers[1].run), Task(writers[0].run)]
            at_server = [Task(readers[0].run), Task(writers[1].run)]
            if enough:
                assert moved.wait(PATIENCE)
            end(client, server)
            if end is shut_down_writing:
                # The other direction may be open still.
                writers[1].stop.set()
                how_it_ended(at_server[1])
                server.shutdown(socket.SHUT_WR)
            for task in at_client + at_server:
                how_it_ended(task)


def test_both_ends_unwrap_cleanly_after_use_in_threads(client_context, server_context):
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT) as (client, server):
        writer = Writer(client, 1)
        writing = Task(writer.run)
        reader = Reader(server, 2, threading.Event(), 1_000_000)
        reading = Task(reader.run)
        assert reader.moved is not None
        assert reader.moved.wait(PATIENCE)
        writer.stop.set()
        sent = writing.result()
        unwrapping = Task(client.unwrap)
        assert reading.result() == sent
        server.unwrap()
        unwrapping.result()


@pytest.mark.parametrize("end", ["close_notify", "broken", "rest"])
@waiting
def test_every_reader_that_waits_hears_of_the_end(
    client_context: Any, server_context: Any, transport: Any, mode: Any, end: str
) -> None:
    """The kernel has nothing any more when the first one has read it, and TCP goes on."""
    for _ in range(5):
        with tls_sockets(client_context, server_context, mode=mode, transport=transport) as (client, server):
            server.sendall(b"before")
            assert client.recv(100) == b"before"
            readers = [Task(verb, 100) for verb in (client.recv, client.recv, client.peek, client.recv)]
            until(lambda readers=readers: all(asleep(it.thread) for it in readers), "all wait")
            if end == "broken":
                socket.socket.sendall(server, b"\x17\x03\x03\x00\x20" + bytes(32))
            elif end == "rest":
                server.sendall(b"last")
                server.close_notify()
            else:
                server.close_notify()
            documented = {"end of stream", "SSLError"} if end == "broken" else {"end of stream"}
            assert {how_it_ended(reader) for reader in readers} <= documented


@waiting
def test_a_reader_that_waits_gets_what_another_one_leaves_of_a_record(
    client_context: Any, server_context: Any, mode: Any
) -> None:
    """It is asleep in the kernel, which has none of the record any more."""
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        server.sendall(b"before")
        assert client.recv(100) == b"before"
        for record in (b"0123456789", bytes(range(256)) * 64):
            for _ in range(10):
                short, long = readers = [Task(client.recv, size) for size in (1, len(record))]
                until(lambda readers=readers: all(asleep(it.thread) for it in readers), "both wait")
                server.sendall(record)
                got = long.result()
                if got == record:  # it woke first
                    server.sendall(b"x")
                    assert short.result() == b"x"
                else:
                    assert short.result() + got == record
                assert client.pending() == 0
                assert select.select([client], [], [], 0) == ([], [], [])
