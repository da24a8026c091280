"""No thread waits for a lock with the GIL, and no lock is held while Python runs: whatever a callback does, none hangs.

What would stand still here would do so with the GIL, and take pytest with it: those tests run in a child.
"""

from __future__ import annotations

import contextlib
import errno
import os
import ssl as standard
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.core.peer import asleep, until
from tests.incidents.processes import Child, forks
from tests.kit.certificates import HOST
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import BLOCKING, receive_exactly, tls_sockets, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "pending": lambda it: it.pending(),
    "has_pending": lambda it: it.has_pending(),
    "version": lambda it: it.version(),
    "cipher": lambda it: it.cipher(),
    "shared_ciphers": lambda it: it.shared_ciphers(),
    "compression": lambda it: it.compression(),
    "group": lambda it: it.group(),
    "selected_alpn_protocol": lambda it: it.selected_alpn_protocol(),
    "get_channel_binding": lambda it: it.get_channel_binding(),
    "tls-exporter": lambda it: it.get_channel_binding("tls-exporter"),
    "tls-server-end-point": lambda it: it.get_channel_binding("tls-server-end-point"),
    "export_keying_material": lambda it: it.export_keying_material("EXPERIMENTAL", 32),
    "getpeercert": lambda it: it.getpeercert(),
    "getpeercert, binary": lambda it: it.getpeercert(binary_form=True),
    "get_verified_chain": lambda it: it.get_verified_chain(),
    "get_unverified_chain": lambda it: it.get_unverified_chain(),
    "context": lambda it: it.context,
    "session": lambda it: it.session,
    "session_reused": lambda it: it.session_reused,
    "server_side": lambda it: it.server_side,
    "server_hostname": lambda it: it.server_hostname,
    "truncated": lambda it: it.truncated,
    "counters": lambda it: it._sslobj.counters(),
    "connection_info": lambda it: it.connection_info(),
    "repr": repr,
}


def ask_everything(connection: Any) -> None:
    """Calls every getter of a connection. Before the end of the handshake, some raise."""
    for question in QUESTIONS.values():
        with contextlib.suppress(ValueError):
            question(connection)


def ask_from_another_thread(connection: Any) -> None:
    """Like a program with a lock of its own around its logging."""
    Task(ask_everything, connection).result()


# --- MemoryBIO --------------------------------------------------------------------------------------------------------


@forks
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_an_object_writes_while_another_thread_drains_its_bio(pair):
    pair.handshake()

    def work() -> None:
        over = threading.Event()

        def take() -> int:
            taken = 0
            while not over.is_set():
                taken += len(pair.to_server.outgoing.read(1000))
            return taken + len(pair.to_server.outgoing.read())

        taking = [Task(take) for _ in range(3)]
        for _ in range(700):
            pair.client.write(bytes(50_000))
            for _ in range(1500):  # the program's own work, in which the others come to wait for the GIL
                pass
            pair.client.write(b"small")
        over.set()
        assert sum(task.result() for task in taking) > 700 * 50_000

    assert Child(work).succeeded()


def test_concurrent_writers_and_readers_of_a_bio_transfer_every_byte_once_and_in_order():
    bio = tls.MemoryBIO()
    count = 300 if "SANITIZERS" in os.environ else 3000  # under them it takes long to change threads, as each turn does
    writers_are_done = threading.Event()

    def write(name: int) -> None:
        for number in range(count):
            bio.write(struct.pack(">HH", name, number) * (1 + number % 3))

    def read(size: int) -> list[tuple[int, ...]]:
        seen: list[tuple[int, ...]] = []
        while True:
            was_over = writers_are_done.is_set()
            data = bio.read(size)
            seen += struct.iter_unpack(">HH", data)
            if not data and was_over:
                return seen

    reading = [Task(read, size) for size in (4, 40, 4000, -1)]
    writing = [Task(write, name) for name in range(3)]
    try:
        for task in writing:
            task.result()
    finally:
        writers_are_done.set()
    parts = [task.result() for task in reading]
    for part in parts:
        for name in range(3):
            numbers = [number for writer, number in part if writer == name]
            assert numbers == sorted(numbers)
    expected = [(name, number) for name in range(3) for number in range(count) for _ in range(1 + number % 3)]
    assert sorted(item for part in parts for item in part) == expected


def test_a_bio_is_not_at_eof_before_its_writers_last_byte():
    for _ in range(300):
        bio = tls.MemoryBIO()

        def write(bio: Any = bio) -> None:
            for _ in range(20):
                bio.write(b"data")
            bio.write_eof()

        writing = Task(write)
        received = b""
        while not bio.eof:
            waiting = bio.pending
            assert waiting % 4 == 0
            data = bio.read(waiting)
            assert len(data) == waiting
            received += data
        assert bio.read() == b""
        assert received == b"data" * 20
        writing.result()


def test_an_object_reads_everything_while_another_thread_writes_its_bio(client_context, server_context):
    for _ in range(100):
        pair = Pair(client_context, server_context)
        pair.handshake()
        pair.server.write(b"data")
        flight = pair.to_client.outgoing.read()

        def deliver(pair: Any = pair, flight: bytes = flight) -> None:
            pair.to_client.incoming.write(flight)
            pair.to_client.incoming.write_eof()

        delivering = Task(deliver)
        assert until_read(pair.client) == b"data"
        with pytest.raises(standard.SSLEOFError):
            until_read(pair.client)
        delivering.result()


def until_read(side: Any) -> Any:
    while not isinstance(data := attempt(side.read), bytes):
        pass
    return data


# --- A callback, and another thread -----------------------------------------------------------------------------------


@forks
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_small_send_waits_for_a_readers_callback_but_a_getter_does_not(client_context, server_context):
    """The send has to wait for the reader's callback, the question has not."""
    inside, leave = threading.Event(), threading.Event()
    armed = threading.Event()

    def message(_: Any, direction: str, *__: Any) -> None:
        if armed.is_set() and direction == "read":
            inside.set()
            assert leave.wait(PATIENCE)

    client_context._msg_callback = message

    def work() -> None:
        with tls_sockets(client_context, server_context, transport=unix_pair) as (client, server):
            client.setblocking(False)
            with contextlib.suppress(standard.SSLWantWriteError):  # the kernel is full, and one record is left over
                while client.send(bytes(1000)):
                    pass
            server.sendall(b"for the reader")
            armed.set()
            receiving = Task(client.recv, 100)
            assert inside.wait(PATIENCE)
            sending = Task(client.send, bytes(1000) + b"more" * 100)
            until(lambda: asleep(sending.thread), "the send waits")
            assert Task(client.version).result() is not None
            server.settimeout(PATIENCE)
            draining = Task(server.recv, 1 << 20)
            draining.result()
            leave.set()
            assert receiving.result() == b"for the reader"
            with contextlib.suppress(standard.SSLWantWriteError):
                assert sending.result() > 0

    assert Child(work).succeeded()


def consulting_message(client: Any, server: Any, consult: Callable[[Any], None], _: Any) -> None:
    client._msg_callback = server._msg_callback = lambda connection, *_: consult(connection)


def consulting_sni(client: Any, server: Any, consult: Callable[[Any], None], _: Any) -> None:
    server.sni_callback = lambda connection, *_: consult(connection)


def consulting_psk(client: Any, server: Any, consult: Callable[[Any], None], known: list[Any]) -> None:
    for context in (client, server):
        context.check_hostname = False
        context.verify_mode = standard.CERT_NONE
        context.set_ciphers("PSK")

    def key(_: Any) -> bytes:
        for connection in known:
            consult(connection)
        return bytes(16)

    client.set_psk_client_callback(lambda hint: ("me", key(hint)))
    server.set_psk_server_callback(key)


CALLBACKS = [consulting_message, consulting_sni, consulting_psk]


@pytest.mark.parametrize("callback", CALLBACKS, ids=lambda callback: callback.__name__.removeprefix("consulting_"))
def test_getters_return_while_a_callback_waits_for_their_caller(callback, certificates, version):
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    asked: list[Any] = []
    known: list[Any] = []

    def consult(connection: Any) -> None:
        asked.append(connection)
        ask_from_another_thread(connection)

    callback(client_context, server_context, consult, known)
    pair = Pair(client_context, server_context)
    known += [pair.client, pair.server]
    pair.handshake()
    pair.server.write(b"data")
    pair.pump()
    assert pair.client.read() == b"data"
    assert asked


class ConsultingBIO:
    """A program's own BIO, which calls getters of the connection that calls it."""

    def __init__(self) -> None:
        self.bio = tls.MemoryBIO()
        self.connection: Any = None
        self.asked = 0

    def read(self, size: int = -1) -> bytes:
        self.consult()
        return bytes(self.bio.read(size))

    def write(self, data: bytes) -> int:
        self.consult()
        return int(self.bio.write(data))

    def consult(self) -> None:
        if self.connection is not None:
            self.asked += 1
            ask_from_another_thread(self.connection)

    @property
    def pending(self) -> int:
        return int(self.bio.pending)


def test_getters_return_while_a_foreign_bio_waits_for_their_caller(client_context, server_context):
    incoming, outgoing = ConsultingBIO(), ConsultingBIO()
    pair = Pair(client_context, server_context)
    pair.client = client_context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    pair.to_server.outgoing, pair.to_client.incoming, pair.to_client.receiver = outgoing.bio, incoming.bio, pair.client
    incoming.connection = outgoing.connection = pair.client
    unfinished = [pair.client, pair.server]
    while unfinished:
        unfinished = [side for side in unfinished if attempt(side.do_handshake) is WANT]
        pair.pump()
    pair.client.write(b"data")
    pair.pump()
    assert pair.server.read() == b"data"
    assert min(incoming.asked, outgoing.asked) > 0


def test_callbacks_of_two_connections_call_every_getter_of_the_other(certificates, version):
    """Both are in their callbacks at the same time, once at least."""
    server_context = certificates.server_context(version)
    both_inside = threading.Barrier(2)
    others: dict[int, Any] = {}
    met: list[str] = []

    def context() -> Any:
        once = iter([True])

        def message(connection: Any, *_: Any) -> None:
            if next(once, False):
                both_inside.wait(PATIENCE)
                met.append("met")
            ask_everything(others[id(connection)])

        context = certificates.client_context(version)
        context._msg_callback = message
        return context

    pairs = [Pair(context(), server_context) for _ in range(2)]
    others.update({id(pairs[0].client): pairs[1].client, id(pairs[1].client): pairs[0].client})
    for task in [Task(pair.handshake) for pair in pairs]:
        task.result()
    assert met == ["met", "met"]
    assert [pair.client.version() for pair in pairs] == [pairs[0].server.version()] * 2


def test_an_exception_of_a_callback_is_raised_only_by_the_verb_that_called_it(certificates):
    """TLS 1.3: the tickets that a waiting recv() reads are no data."""
    tls13 = standard.TLSVersion.TLSv1_3
    client_context, server_context = certificates.client_context(tls13), certificates.server_context(tls13)
    armed, raised = threading.Event(), threading.Event()

    def message(_: Any, direction: str, *__: Any) -> None:
        if armed.is_set() and direction == "read":
            armed.clear()
            raised.set()
            raise LookupError("of the recv")

    client_context._msg_callback = message
    with tls_sockets(client_context, server_context) as (client, server):
        armed.set()
        receiving = Task(client.recv, 100)
        assert raised.wait(PATIENCE)
        until(lambda: asleep(receiving.thread), "the recv waits")
        assert client.send(b"data") == 4
        server.sendall(b"more")
        with pytest.raises(LookupError, match="of the recv"):
            receiving.result()
        assert client.recv(100) == b"more"


# --- Verbs that wait for each other -----------------------------------------------------------------------------------


@contextlib.contextmanager
def in_a_circle(count: int, certificates: Any, version: Any) -> Iterator[tuple[list[Any], list[Any]]]:
    """`count` connections, each in a callback that sends on the next one; returns the results."""
    server_context = certificates.server_context(version)
    inside = threading.Barrier(count)
    clients: list[Any] = []
    came: list[Any] = []
    armed: set[int] = set()

    def message(connection: Any, *_: Any) -> None:
        at = clients.index(connection) if connection in clients else -1
        if at not in armed:
            return
        armed.discard(at)
        inside.wait(PATIENCE)
        try:
            came.append(clients[(at + 1) % count].send(b"from a callback"))
        except OSError as error:
            came.append(error)

    with contextlib.ExitStack() as stack:
        for _ in range(count):
            context = certificates.client_context(version)
            context._msg_callback = message
            client, _ = stack.enter_context(tls_sockets(context, server_context, mode=BLOCKING))
            clients.append(client)
        armed.update(range(count))
        yield clients, came


@pytest.mark.parametrize("count", [2, 3])
def test_a_deadlock_between_callbacks_is_resolved_by_refusing_one_verb(certificates, version, count):
    with in_a_circle(count, certificates, version) as (clients, came):
        sending = [Task(client.send, b"data") for client in clients]
        assert [task.result() for task in sending] == [4] * count
        refused = [error for error in came if isinstance(error, OSError)]
        assert [error.errno for error in refused] == [errno.EDEADLK]
        assert "read and write outside of callbacks" in str(refused[0])
        assert [sent for sent in came if not isinstance(sent, OSError)] == [15] * (count - 1)


def test_a_callback_cannot_call_a_verb_of_its_own_connection(client_context, server_context):
    errors: list[Exception] = []
    armed = threading.Event()

    def message(connection: Any, *_: Any) -> None:
        if not armed.is_set():
            return
        for verb in (lambda: connection.send(b"x"), lambda: connection.recv(1), connection.unwrap):
            try:
                verb()
            except ValueError as error:
                errors.append(error)

    client_context._msg_callback = message
    with tls_sockets(client_context, server_context) as (client, server):
        armed.set()
        client.sendall(b"data")
        armed.clear()
        assert server.recv(10) == b"data"
    assert len(errors) >= 3
    assert all("a callback cannot read, write or unwrap the connection" in str(error) for error in errors)


def test_a_close_in_a_callback_wakes_another_thread_s_recv(client_context, server_context):
    armed = threading.Event()
    client_context._msg_callback = lambda connection, *_: connection.close() if armed.is_set() else None
    with tls_sockets(client_context, server_context) as (client, _):
        receiving = Task(client.recv, 10)
        until(lambda: asleep(receiving.thread), "the recv waits")
        armed.set()
        with contextlib.suppress(OSError, ValueError):
            client.send(b"data")
        with pytest.raises((OSError, ValueError)):
            receiving.result()


# --- Order ------------------------------------------------------------------------------------------------------------


def test_a_timeout_expires_while_a_callback_of_another_thread_runs(client_context, server_context):
    begun, over = threading.Event(), threading.Event()
    reader: list[int] = []

    def message(*_: Any) -> None:
        if threading.get_ident() in reader:
            begun.set()
            over.wait(PATIENCE)

    client_context._msg_callback = message
    with tls_sockets(client_context, server_context) as (client, server):

        def read() -> bytes:
            reader.append(threading.get_ident())
            return client.recv(10)

        reading = Task(read)
        server.sendall(b"data")
        assert begun.wait(PATIENCE)
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(10)
        with pytest.raises(TimeoutError):
            client.send(b"x")
        client.settimeout(0)
        with pytest.raises(BlockingIOError):
            client.recv(10)
        over.set()
        assert reading.result() == b"data"


def test_a_getter_waits_for_at_most_one_step_of_a_long_send(client_context, server_context):
    """First come, first served: between two getters, a sender completes at most one step more than usual."""
    step = 4 * 16384  # as many records as are encrypted before they are sent
    with tls_sockets(client_context, server_context, transport=unix_pair) as (client, server):
        size = 100_000_000
        receiving = Task(receive_exactly, server, size)
        sending = Task(client.sendall, bytes(size))
        questions = overtaken = before = 0
        while sending.running:
            after = client._sslobj.counters()["bytes_out"]
            questions += 1
            overtaken += after - before > 4 * step
            before = after
        sending.result()
        assert len(receiving.result()) == size
        assert overtaken <= questions / 2
