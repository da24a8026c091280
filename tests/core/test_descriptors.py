"""No descriptor is used after its close: TLS bytes never reach whoever reuses it."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import socket
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.foreigner import Foreigner
from tests.core.peer import asleep, until
from tests.core.signals import ringing
from tests.kit.certificates import HOST
from tests.kit.sockets import handshake, unix_pair
from tests.kit.threads import PATIENCE, Task

BIG = bytes(4 << 20)

# A sender whose number becomes that of a pipe's reading end, which is never ready for it, may wait a second.
READY = ("file", "socket")


@contextlib.contextmanager
def connection(client_context: Any, server_context: Any) -> Iterator[tuple[Any, Any]]:
    """A client whose socket is soon full, and a server that reads only on request."""
    plain_client, plain_server = unix_pair()
    plain_client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
    client = client_context.wrap_socket(plain_client, server_hostname=HOST, do_handshake_on_connect=False)
    server = server_context.wrap_socket(plain_server, server_side=True, do_handshake_on_connect=False)
    with client, server:
        handshake(client, server)
        yield client, server


def ended(task: Task) -> BaseException | None:
    try:
        task.result()
    except (OSError, ValueError) as error:
        return error
    return None


def read_until_it_ends(sock: Any) -> None:
    """As raw bytes, faster than anybody can write them."""
    with contextlib.suppress(OSError):
        while socket.socket.recv(sock, 1 << 20):
            pass


class Spinner:
    """Sends as fast as it can."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.under_way = threading.Event()

    def run(self) -> None:
        while True:
            self.sock.send(b"TLS" * 500)
            self.under_way.set()


def let_go_by_close(sock: Any) -> None:
    sock.close()


def let_go_by_detach(sock: Any) -> None:
    os.close(sock.detach())


LET_GO = pytest.mark.parametrize("let_go", [let_go_by_close, let_go_by_detach], ids=["close", "detach"])


# With those of the spinning sender: 1,000 closes during a write in each version of TLS.
@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
def test_a_close_during_a_blocked_sendall(client_context, server_context, tmp_path, timeout):
    for _ in range(250):
        with connection(client_context, server_context) as (client, server):
            client.settimeout(timeout)
            sending = Task(client.sendall, BIG)
            assert select.select([server], [], [], PATIENCE)[0]
            number = client.fileno()
            client.close()
            foreigner = Foreigner(tmp_path, number)
            server.close()
            error = ended(sending)
            assert foreigner.foreign_bytes() == b""
            foreigner.close()
            assert isinstance(error, OSError)
            assert error.errno == errno.EBADF


@LET_GO
def test_a_close_during_continuous_sends(client_context, server_context, tmp_path, let_go):
    for _ in range(250):
        with connection(client_context, server_context) as (client, server):
            spinner = Spinner(client)
            draining = Task(read_until_it_ends, server)
            sending = Task(spinner.run)
            assert spinner.under_way.wait(PATIENCE)
            number = client.fileno()
            let_go(client)
            foreigner = Foreigner(tmp_path, number, READY)
            error = ended(sending)
            draining.result()
            assert foreigner.foreign_bytes() == b""
            foreigner.close()
            assert isinstance(error, OSError)
            assert error.errno == errno.EBADF


def test_a_detach_during_a_blocked_sendall(client_context, server_context, tmp_path):
    """No thread may be woken, because the caller owns the descriptor. The sender ends once there is space again."""
    for _ in range(50):
        with connection(client_context, server_context) as (client, server):
            sending = Task(client.sendall, BIG)
            assert select.select([server], [], [], PATIENCE)[0]
            number = client.detach()
            foreigner = Foreigner(tmp_path, number, READY)  # dup2() closes what had the number
            server.close()
            error = ended(sending)
            assert foreigner.foreign_bytes() == b""
            foreigner.close()
            assert isinstance(error, OSError)
            assert error.errno == errno.EBADF


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
def test_a_detach_during_a_blocked_recv_leaves_unread_bytes_to_the_new_owner(client_context, server_context, timeout):
    for _ in range(20):
        with connection(client_context, server_context) as (client, server):
            server.sendall(b"!")
            assert client.recv(1) == b"!"
            client.settimeout(timeout)
            started = threading.Event()

            def receive(client: Any = client, started: threading.Event = started) -> bytes:
                started.set()
                return client.recv(100)

            receiving = Task(receive)
            assert started.wait(PATIENCE)
            with socket.socket(fileno=client.detach()) as plain:
                before = server._sslobj.counters()["bytes_out"]
                server.sendall(b"late")
                error = ended(receiving)
                assert len(plain.recv(100)) == server._sslobj.counters()["bytes_out"] - before
            assert isinstance(error, OSError)
            assert error.errno == errno.EBADF


@pytest.mark.parametrize("timeout", [None, 1000], ids=["blocking", "timeout"])
@pytest.mark.parametrize("verb", ["recv", "sendall"])
def test_a_call_that_was_detached_ends_with_its_stream(client_context, server_context, verb, timeout):
    """It does not continue to wait on a reused descriptor that is never ready."""
    with connection(client_context, server_context) as (client, server):
        client.settimeout(timeout)
        server.sendall(b"!")
        assert client.recv(1) == b"!"
        calls = client._sslobj.counters()["syscalls"]
        receiving = Task(client.recv, 100) if verb == "recv" else Task(client.sendall, BIG)
        until(lambda: client._sslobj.counters()["syscalls"] > calls and asleep(receiving.thread), "it waits")
        number = client.detach()
        near, far = os.pipe() if verb == "sendall" else (end.detach() for end in socket.socketpair())
        os.dup2(near, number)
        server.close()
        error = ended(receiving)
        for foreign in (number, near, far):
            os.close(foreign)
        assert error is None or isinstance(error, OSError)


def test_a_detached_descriptor_is_still_connected(client_context, server_context):
    with connection(client_context, server_context) as (client, server):
        with socket.socket(fileno=client.detach()) as plain:
            plain.sendall(b"raw")
            assert socket.socket.recv(server, 10) == b"raw"
        for operation, arguments in ((client.recv, (1,)), (client.send, (b"x",))):
            with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
                operation(*arguments)


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
def test_a_close_ends_a_blocked_recv(client_context, server_context, tmp_path, timeout):
    for _ in range(50):
        with connection(client_context, server_context) as (client, _server):
            client.settimeout(timeout)
            started = threading.Event()

            def receive(client: Any = client, started: threading.Event = started) -> bytes:
                started.set()
                return client.recv(100)

            receiving = Task(receive)
            assert started.wait(PATIENCE)
            number = client.fileno()
            client.close()
            foreigner = Foreigner(tmp_path, number)
            error = ended(receiving)
            foreigner.close()
            assert isinstance(error, OSError)
            assert error.errno == errno.EBADF


def test_a_close_ends_every_blocked_call(client_context, server_context):
    with connection(client_context, server_context) as (client, server):
        blocked = [Task(client.recv, 100) for _ in range(3)] + [Task(client.sendall, BIG)]
        assert select.select([server], [], [], PATIENCE)[0]
        client.close()
        for task in blocked:
            error = ended(task)
            assert isinstance(error, OSError)
            assert error.errno == errno.EBADF


def test_a_close_ends_a_blocked_handshake_and_a_blocked_unwrap(client_context, server_context):
    plain_client, plain_server = unix_pair()
    with plain_server:
        client = client_context.wrap_socket(plain_client, server_hostname=HOST, do_handshake_on_connect=False)
        shaking = Task(client.do_handshake)
        assert select.select([plain_server], [], [], PATIENCE)[0]
        client.close()
        assert isinstance(ended(shaking), OSError)
    with connection(client_context, server_context) as (client, server):
        unwrapping = Task(client.unwrap)
        assert select.select([server], [], [], PATIENCE)[0]
        client.close()
        assert isinstance(ended(unwrapping), OSError)


def test_two_threads_that_close_at_once(client_context, server_context, tmp_path):
    for _ in range(50):
        with connection(client_context, server_context) as (client, server):
            blocked = [Task(client.recv, 100), Task(client.sendall, BIG)]
            assert select.select([server], [], [], PATIENCE)[0]
            number = client.fileno()
            closing = [Task(client.close), Task(client.close)]
            for task in closing:
                task.result()
            foreigner = Foreigner(tmp_path, number)
            errors = [ended(task) for task in blocked]
            assert foreigner.foreign_bytes() == b""
            foreigner.close()
            assert all(isinstance(error, OSError) for error in errors)


def test_a_duplicate_descriptor_works_after_the_close(client_context, server_context):
    """A program that forks keeps one: closing our number is no reason to end the connection of the other holder."""
    with connection(client_context, server_context) as (client, server):
        with socket.socket(fileno=os.dup(client.fileno())) as copy:
            client.close()
            copy.sendall(b"still here")
            assert socket.socket.recv(server, 100) == b"still here"


def test_a_close_during_a_sendall_with_a_duplicate(client_context, server_context, tmp_path):
    """The duplicate keeps the file open, but not the descriptor."""
    for _ in range(50):
        with connection(client_context, server_context) as (client, server):
            sending = Task(client.sendall, BIG)
            assert select.select([server], [], [], PATIENCE)[0]
            number = client.fileno()
            copy = os.dup(number)
            client.close()
            foreigner = Foreigner(tmp_path, number)
            draining = Task(read_until_it_ends, server)
            error = ended(sending)
            os.close(copy)
            draining.result()
            assert foreigner.foreign_bytes() == b""
            foreigner.close()
            assert isinstance(error, OSError)
            assert error.errno == errno.EBADF


@pytest.mark.parametrize("verb", ["sendall", "recv"])
@LET_GO
def test_a_signal_handler_may_release_the_socket_during_a_call(client_context, server_context, tmp_path, verb, let_go):
    for _ in range(10):
        with connection(client_context, server_context) as (client, server):
            number = client.fileno()
            foreigners = []

            def action(client: Any = client, number: int = number, foreigners: list[Any] = foreigners) -> None:
                let_go(client)
                foreigners.append(Foreigner(tmp_path, number))

            with ringing(action), pytest.raises(OSError, match=os.strerror(errno.EBADF)):
                client.sendall(BIG) if verb == "sendall" else client.recv(100)
            server.close()
            (foreigner,) = foreigners
            assert foreigner.foreign_bytes() == b""
            foreigner.close()


def test_a_garbage_collected_connection_closes_its_descriptor(client_context):
    plain_client, plain_server = unix_pair()
    with plain_server:
        client = client_context.wrap_socket(plain_client, server_hostname=HOST, do_handshake_on_connect=False)
        number = client.fileno()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del client
            gc.collect()
        assert [warning.category for warning in caught] == [ResourceWarning]
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            os.fstat(number)
        assert plain_server.recv(1) == b""
