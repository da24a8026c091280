"""fork() while threads are active: the child uses what they use, or gets an error, and the parent is not affected."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl as standard
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.incidents.processes import Child, forks
from tests.incidents.references import reference
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import tcp_pair, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

pytestmark = [
    forks,
    reference("openssl/openssl#19066"),
    pytest.mark.timeout(7200),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),  # what this is about
]

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def at_work(*operations: Callable[[], Any]) -> Iterator[None]:
    """Threads that each repeat an operation. What one of them raises, the test raises."""
    stop = threading.Event()

    def repeat(operation: Callable[[], Any]) -> None:
        while not stop.is_set():
            operation()

    tasks = [Task(repeat, operation) for operation in operations]
    try:
        yield
    finally:
        stop.set()
        for task in tasks:
            task.result()


def used(work: Callable[[], Any]) -> Callable[[], None]:
    """For a child: that it works, or that its use is refused, as a thread of the parent was in the middle of one."""

    def use() -> None:
        with contextlib.suppress(OSError):
            work()

    return use


def test_a_context_whose_connections_threads_create(client_context, server_context, rounds):
    def shake() -> None:
        Pair(client_context, server_context).handshake()

    with at_work(shake, shake):
        for _ in range(rounds(20, 1000)):
            assert Child(shake).succeeded()


def test_a_new_context_while_threads_perform_handshakes(client_context, server_context, certificates, version, rounds):
    def shake() -> None:
        Pair(client_context, server_context).handshake()

    def begin() -> None:
        Pair(certificates.client_context(version), certificates.server_context(version)).handshake()

    with at_work(shake, shake, shake, shake):
        for _ in range(rounds(20, 5000)):
            assert Child(begin).succeeded()


def test_a_session_that_threads_resume(client_context, server_context, rounds):
    first = Pair(client_context, server_context)
    first.handshake()
    first.transfer(b"ticket", first.server)
    session = first.client.session

    def resume() -> None:
        pair = Pair(client_context, server_context, session=session)
        pair.handshake()
        assert len(session.id) > 0
        assert session.timeout > 0

    with at_work(resume, resume):
        for _ in range(rounds(20, 1000)):
            assert Child(resume).succeeded()


def test_a_memory_bio_that_threads_fill_and_drain(rounds):
    bio = tls.MemoryBIO()

    def use() -> None:
        bio.write(bytes(3000))
        bio.read(2000)
        assert bio.pending >= 0
        assert not bio.eof

    with at_work(lambda: bio.write(bytes(3000)), lambda: bio.read(100_000)):
        for _ in range(rounds(20, 1000)):
            assert Child(used(use)).succeeded()


def test_an_object_that_threads_read_and_write(pair, rounds):
    pair.handshake()
    everything: list[Callable[[], Any]] = [
        pair.client.version,
        pair.client.getpeercert,
        pair.client.pending,
        lambda: pair.client.write(b"child"),
        lambda: attempt(pair.client.read, 100),
        lambda: attempt(pair.client.unwrap),
    ]

    def use() -> None:
        for call in everything:
            used(call)()

    def exchange() -> None:
        pair.client.write(bytes(20_000))
        pair.pump()
        while attempt(pair.server.read, 65536) is not WANT:
            pass

    with at_work(exchange, pair.client.version):
        for _ in range(rounds(20, 1000)):
            assert Child(use).succeeded()
    pair.transfer(b"goes on", pair.server)


def test_a_socket_that_threads_read_and_write(client_context, server_context, rounds):
    with tls_sockets(client_context, server_context) as (client, server):
        everything: list[Callable[[], Any]] = [client.version, client.getpeercert, client.pending, client.close]

        def use() -> None:
            for call in everything:
                used(call)()

        def ask() -> None:
            client.sendall(b"x" * 5000)
            left = 5000
            while left:
                left -= len(client.recv(left))

        def answer_all() -> None:
            while data := server.recv(65536):
                server.sendall(data)

        answering = Task(answer_all)
        with at_work(ask):
            for _ in range(rounds(20, 1000)):
                assert Child(use).succeeded()
        client.shutdown(socket.SHUT_WR)
        answering.result()


def test_a_transport_whose_loop_runs_in_a_thread(client_context, server_context, rounds):
    class Protocol(asyncio.Protocol):
        def __init__(self) -> None:
            self.transport: Any = None
            self.count = 0

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.count += len(data)
            self.transport.write(data)

    from wiretight.asyncio import create_connection

    near, far = tcp_pair()
    near.setblocking(False)
    loop = asyncio.new_event_loop()
    running = Task(loop.run_forever)
    with far:
        accepted = Task(server_context.wrap_socket, far, server_side=True)
        connecting = asyncio.run_coroutine_threadsafe(
            create_connection(Protocol, sock=near, ssl=client_context, server_hostname="localhost"), loop
        )
        server = accepted.result()
        transport, protocol = connecting.result(PATIENCE)

        def use() -> None:
            for call in (
                lambda: transport.get_extra_info("cipher"),
                transport.get_write_buffer_size,
                transport.abort,
            ):
                used(call)()

        def ask() -> None:
            server.sendall(bytes(3000))
            left = 3000
            while left:
                left -= len(server.recv(left))

        try:
            with at_work(ask):
                for _ in range(rounds(20, 1000)):
                    assert Child(use).succeeded()
            assert protocol.count
        finally:
            loop.call_soon_threadsafe(transport.abort)
            loop.call_soon_threadsafe(loop.call_soon, loop.stop)
            running.result()
            loop.close()
            server.close()


def test_trusted_files_that_threads_load(certificates, rounds):
    import wiretight

    def load() -> None:
        wiretight.clear_trust_cache()
        context = tls.create_default_context(cafile=str(certificates.ca_file))
        assert len(context.get_ca_certs()) == 1

    with at_work(load, load):
        for _ in range(rounds(20, 1000)):
            assert Child(load).succeeded()


def test_credentials_that_threads_load(certificates, tmp_path, rounds):
    key = serialization.load_pem_private_key(certificates.server.key.read_bytes(), None)
    encrypted = tmp_path / "encrypted.key"
    encryption = serialization.BestAvailableEncryption(b"secret")
    encrypted.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))

    def load() -> None:
        context = tls.SSLContext(standard.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server.chain, encrypted, password=lambda: "secret")
        context.load_verify_locations(cadata=certificates.ca_file.read_text())
        assert context.cert_store_stats()["x509"] == len(context.get_ca_certs()) == 1

    with at_work(load, load):
        for _ in range(rounds(20, 1000)):
            assert Child(load).succeeded()


HOOKS = """
import os, sys, threading
lock = threading.Lock()
os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
import importlib
from pathlib import Path
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
certificates = Certificates(Path(sys.argv[1]))
client, server = certificates.client_context(), certificates.server_context()
stop = threading.Event()

def work():
    while not stop.is_set():
        with lock:
            Pair(client, server).handshake()

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(50):
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
print("forked")
"""


def test_a_callback_that_forks_goes_on_in_the_child_beside_another_thread(client_context, server_context, rounds):
    def looks(connection: Any) -> None:
        going_on.wait()  # the first look is while the verb goes on after the callback
        while not done.is_set():
            with contextlib.suppress(OSError):
                connection.version()

    def fork(*_: Any) -> None:
        children.append(os.fork())
        if children[-1] == 0:
            threading.Thread(target=looks, args=(pair.server,), daemon=True).start()
            going_on.set()

    server_context.sni_callback = fork
    parent = os.getpid()
    for _ in range(rounds(20, 500)):
        children: list[int] = []
        going_on, done = threading.Event(), threading.Event()
        pair = Pair(client_context, server_context)
        try:
            pair.handshake()
            succeeded = pair.transfer(b"data", pair.server) == b"data"
        except OSError:
            succeeded = False
        if os.getpid() != parent:
            os._exit(not succeeded)
        assert succeeded
        assert os.waitpid(children[0], 0)[1] == 0


@pytest.mark.skipif(
    "libtsan" in os.environ.get("SANITIZERS", ""),
    reason="ThreadSanitizer ends a child in which a thread has the number of one that the fork has lost",
)
@reference("python/cpython#137583")
def test_a_connection_whose_thread_is_in_a_callback_is_refused_in_a_child(client_context, server_context):
    """Though a new thread of the child may have the number of the one that is lost."""
    entered, go_on, numbers = threading.Event(), threading.Event(), []

    def choose(*_: Any) -> None:
        numbers.append(threading.get_ident())
        entered.set()
        assert go_on.wait(PATIENCE)

    server_context.sni_callback = choose
    pair = Pair(client_context, server_context)
    attempt(pair.client.do_handshake)
    pair.pump()
    shaking = Task(attempt, pair.server.do_handshake)
    assert entered.wait(PATIENCE)

    def refused() -> None:
        with pytest.raises(OSError, match="when the process forked"):
            pair.server.do_handshake()

    def look() -> bool:
        """Whether this thread has that number; then a child of its own is refused, too."""
        with contextlib.suppress(OSError):
            pair.server.version()
        is_it = threading.get_ident() == numbers[0]
        assert not is_it or Child(refused).succeeded()
        return is_it

    def use() -> None:
        for _ in range(20):
            if Task(look).result():
                break
        refused()

    try:
        assert Child(use).succeeded()
    finally:
        go_on.set()
        shaking.result()
    pair.handshake()


def test_idle_connections_that_threads_of_the_child_use_at_once(client_context, server_context, rounds):
    """Each counts the threads of its process anew; then close() waits for nobody."""
    pairs = [tls_sockets(client_context, server_context) for _ in range(20)]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(pair)[0] for pair in pairs]
        for client in clients:
            client.settimeout(0.01)

        def use() -> None:
            sys.setswitchinterval(1e-6)
            barrier = threading.Barrier(2)

            def look() -> None:
                for client in clients:
                    barrier.wait(PATIENCE)
                    with contextlib.suppress(TimeoutError):
                        client.recv(1)

            for task in [Task(look), Task(look)]:
                task.result()
            for client in clients:
                client.close()

        for _ in range(rounds(3, 300)):
            assert Child(use).succeeded()


def test_a_fork_that_waits_for_a_lock_held_around_tls_calls(tmp_path):
    """Whoever registers a lock for fork() has it waited for in Python, and its owner may be in the middle of a call."""
    command = [sys.executable, "-W", "ignore", "-c", HOOKS, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment, cwd=tmp_path)
    assert ran.stdout == "forked\n", ran.stderr
