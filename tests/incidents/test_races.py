"""Descriptors and threads: closing, forking and reusing descriptors, in any order, never affects a foreign file."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl as standard
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.peer import asleep, until
from tests.incidents.processes import Child, descriptors_before, forks, open_descriptors
from tests.incidents.references import reference
from tests.kit.certificates import HOST
from tests.kit.sockets import tcp_pair, tls_sockets, unix_pair
from tests.kit.threads import Task

pytestmark = [reference("python/cpython#137583"), pytest.mark.timeout(7200)]


@forks
@reference("gevent/gevent#2196")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_child_can_close_a_connection_that_its_parents_thread_waits_on(client_context, server_context, rounds):
    with tls_sockets(client_context, server_context) as (client, server):
        for _ in range(rounds(20, 1000)):
            receiving = Task(client.recv, 10)
            until(lambda task=receiving: asleep(task.thread), "the thread waits")
            assert Child(client.close).succeeded()
            server.sendall(b"still here")
            assert receiving.result() == b"still here"


@forks
@reference("brianmario/mysql2#1467")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork", "ignore:unclosed:ResourceWarning")
def test_a_childs_garbage_collected_connections_send_nothing(client_context, server_context, rounds):
    with tls_sockets(client_context, server_context) as (client, server):
        for number in range(rounds(20, 1000)):
            assert Child(client.__del__ if number % 2 else client.detach).succeeded()
            client.sendall(b"to")
            assert server.recv(10) == b"to"
            server.sendall(b"fro")
            assert client.recv(10) == b"fro"


@forks
@reference("openssl/openssl#19066")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_child_forked_while_a_thread_is_active_can_exit(client_context, server_context, rounds):
    with tls_sockets(client_context, server_context) as (client, server):
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                client.sendall(bytes(50_000))

        def read() -> int:
            count = 0
            while data := server.recv(65536):
                count += len(data)
            return count

        def in_the_child() -> None:
            with contextlib.suppress(OSError):  # another thread was using it
                client.pending()
            client.close()
            server.close()

        reading, writing = Task(read), Task(write)
        try:
            for _ in range(rounds(20, 1000)):
                assert Child(in_the_child).succeeded()
        finally:
            stop.set()
            writing.result()
            client.shutdown(socket.SHUT_WR)
        assert reading.result() > 0


@reference("python/cpython#151508", "signalwire/freeswitch#2283")
@pytest.mark.parametrize("transport", [tcp_pair, unix_pair], ids=["tcp", "unix"])
def test_closing_while_threads_are_active_never_touches_a_reused_descriptor(
    client_context, server_context, transport, rounds, tmp_path
):
    before = descriptors_before()

    def work(operation: Any, *args: Any) -> None:
        with contextlib.suppress(OSError, ValueError):
            while operation(*args):
                pass

    for _ in range(rounds(60, 1000)):
        with tls_sockets(client_context, server_context, transport=transport) as (client, server):
            number = client.fileno()
            tasks = [Task(work, client.send, bytes(3000)), Task(work, client.recv, 100), Task(work, server.recv, 5000)]
            server.sendall(b"x" * 50)
            client.close()
            foreign = os.open(tmp_path / "foreign", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            if foreign != number:
                os.dup2(foreign, number)
                os.close(foreign)
            for task in tasks:
                task.result()
            os.close(number)
            assert (tmp_path / "foreign").read_bytes() == b""
    assert open_descriptors() == before


def test_a_socket_that_several_threads_close_closes_its_descriptor_once(client_context, rounds):
    def end(operation: Callable[[], Any], together: threading.Barrier) -> int | None:
        together.wait(10)
        return operation()  # a second close would be an OSError (EBADF), or another file's end

    for _ in range(rounds(30, 5000)):  # twice in a hundred a second thread closed too
        near, far = tcp_pair()
        client = client_context.wrap_socket(near, do_handshake_on_connect=False, server_hostname=HOST)
        together = threading.Barrier(4)
        operations = [client.close, client.close, client.detach, client.close]
        tasks = [Task(end, operation, together) for operation in operations]
        for number in {task.result() for task in tasks} - {None, -1}:
            os.close(number)
        assert client.fileno() == -1
        far.close()


@reference("RFC 8446, 6.1")
def test_detaching_and_duplicating_leak_no_descriptor_and_no_tls(client_context, server_context, rounds):
    before = descriptors_before()
    for _ in range(rounds(60, 1000)):
        with tls_sockets(client_context, server_context) as (client, server):
            with pytest.raises(NotImplementedError):
                client.dup()
            plain = socket.socket(fileno=client.detach())
            with plain:
                plain.sendall(b"plain")
            with pytest.raises(standard.SSLError):
                server.recv(10)
    assert open_descriptors() == before
