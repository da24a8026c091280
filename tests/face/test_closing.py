"""The ends of a connection: unwrap, shutdown, close, detach, and how a socket behaves afterwards."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import socket
import warnings
from typing import Any

import pytest

from tests.kit.certificates import HOST
from tests.kit.deliveries import shut
from tests.kit.sockets import driven, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

SILENT = {"cipher": None, "version": None, "selected_alpn_protocol": None, "compression": None, "pending": 0}
SILENT["has_pending"] = False


def unwrapped(client: Any, server: Any) -> tuple[Any, Any]:
    task = Task(server.unwrap)
    return client.unwrap(), task.result()


# --- unwrap ----------------------------------------------------------------------------------------------------------


def test_unwrap_returns_the_socket_for_plain_use(client: Any, server: Any) -> None:
    assert unwrapped(client, server) == (client, server)
    client.sendall(b"plain")
    assert socket.socket.recv(server, 5) == b"plain"
    server.sendall(b"too")
    assert client.recv(3) == b"too"
    for name, nothing in SILENT.items():
        assert getattr(client, name)() == nothing
    assert client.session is client.session_reused is None


def test_plaintext_directly_after_close_notify_is_not_lost(client: Any, server: Any) -> None:
    def server_side() -> None:
        server.sendall(b"last of tls")
        server.unwrap()
        server.sendall(b"first of plain")

    task = Task(server_side)
    # A large read sees all that is there, but takes no more than TLS.
    assert client.recv(65536) == b"last of tls"
    assert client.recv(65536) == b""
    client.unwrap()
    task.result()
    assert client.recv(65536) == b"first of plain"


def test_a_second_unwrap_is_an_error(client: Any, server: Any) -> None:
    unwrapped(client, server)
    for call in (client.unwrap, client.verify_client_post_handshake, client.do_handshake):
        with pytest.raises(ValueError, match="No SSL wrapper around <"):
            call()
    with pytest.raises(ValueError, match=r"Read on closed or unwrapped SSL socket\."):
        client.read()
    with pytest.raises(ValueError, match=r"Write on closed or unwrapped SSL socket\."):
        client.write(b"x")
    with pytest.raises(AttributeError, match="has no TLS connection"):
        client.getpeercert()


def test_unwrap_with_unread_data_is_an_error(client: Any, server: Any) -> None:
    server.sendall(b"unread")
    with pytest.raises(tls.SSLError) as caught:
        client.unwrap()
    assert caught.value.reason == "APPLICATION_DATA_AFTER_CLOSE_NOTIFY"


def test_a_non_blocking_unwrap_is_called_again(client: Any, server: Any) -> None:
    client.setblocking(False)
    with pytest.raises(tls.SSLWantReadError):
        client.unwrap()
    task = Task(server.unwrap)
    assert driven(client, client.unwrap) is client
    assert task.result() is server


def test_unwrap_waits_no_longer_than_the_timeout(client: Any) -> None:
    client.settimeout(0.01)
    with pytest.raises(TimeoutError, match="The read operation timed out"):
        client.unwrap()


def test_unwrap_before_the_handshake_is_an_error(client_context: Any) -> None:
    one, other = socket.socketpair()
    with (
        other,
        client_context.wrap_socket(one, server_hostname="localhost", do_handshake_on_connect=False) as wrapped,
        pytest.raises(tls.SSLError) as caught,
    ):
        wrapped.unwrap()
    assert caught.value.reason == "SHUTDOWN_WHILE_IN_INIT"


# --- The peer's end --------------------------------------------------------------------------------------------------


def test_a_clean_end_is_returned_repeatedly(client: Any, server: Any) -> None:
    task = Task(client.unwrap)
    assert server.recv(1) == b""
    assert server.recv(1) == b""
    assert server.recv_into(bytearray(1)) == 0
    server.unwrap()
    task.result()


def test_an_end_without_close_notify_is_an_error_only_if_not_suppressed(
    client_context: Any, server_context: Any
) -> None:
    for suppress in (True, False):
        with tls_sockets(client_context, server_context, suppress_ragged_eofs=suppress) as (client, server):
            server.sendall(b"x")
            client.recv(1)  # and with it the tickets: closing a socket with unread bytes resets the connection instead
            client.close()
            if suppress:
                assert server.recv(1) == b""
                assert server.recv_into(bytearray(1)) == 0
                assert server.read(1) == b""
                assert server.read(1, bytearray(1)) == 0
            else:
                for read in (lambda s=server: s.recv(1), lambda s=server: s.recv_into(bytearray(1)), server.read):
                    with pytest.raises(tls.SSLEOFError):
                        read()


# --- shutdown: an intended difference --------------------------------------------------------------------------------


def test_shutdown_of_writing_sends_close_notify(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context, suppress_ragged_eofs=False) as (client, server):
        client.sendall(b"last")
        client.shutdown(socket.SHUT_WR)
        assert server.recv(100) == b"last"
        assert server.recv(100) == b""  # not SSLEOFError


def test_an_abandoned_connection_does_not_end_cleanly(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context, suppress_ragged_eofs=False) as (client, server):
        server.sendall(b"x")
        client.recv(1)  # and with it the tickets, as above
        client.sendall(b"cut sh")
        client.shutdown(socket.SHUT_RDWR)
        assert server.recv(100) == b"cut sh"
        with pytest.raises(tls.SSLEOFError):
            server.recv(100)


def test_reading_continues_after_a_shutdown_of_writing(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context, suppress_ragged_eofs=False) as (client, server):
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        server.sendall(b"answer")
        server.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"answer"
        assert client.recv(100) == b""
        assert client.recv_into(bytearray(1)) == 0
        assert client.read() == b""


def test_reading_continues_after_a_shutdown_that_the_system_refuses(client_context: Any, server_context: Any) -> None:
    """The peer has sent everything, and is gone: TCP has nothing to shut down, and TLS has data and its end."""
    with tls_sockets(client_context, server_context, suppress_ragged_eofs=False) as (client, server):
        client.sendall(b"never read")
        server.sendall(b"answer")
        server.close_notify()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        server.close()
        with pytest.raises(OSError, match="not connected"):
            client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"answer"
        assert client.recv(100) == b""


@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR])
def test_nothing_is_sent_after_a_shutdown_of_writing(client: Any, server: Any, how: int) -> None:
    client.shutdown(how)
    for send in (client.send, client.sendall, client.write):
        with pytest.raises(OSError, match=r".*"):
            send(b"secret")
    received = socket.socket.recv(server, 65536)
    assert b"secret" not in received


def test_shutdown_never_exposes_ciphertext(client: Any, server: Any) -> None:
    server.sendall(b"data")
    client.shutdown(socket.SHUT_RD)
    assert client.recv(100) in {b"data", b""}


def test_shutdown_never_waits(client: Any, server: Any) -> None:
    client.setblocking(False)
    with contextlib.suppress(tls.SSLWantWriteError):
        while True:
            client.send(bytes(1_000_000))
    client.shutdown(socket.SHUT_RDWR)
    server.settimeout(PATIENCE)
    while server.recv(1_000_000):
        pass


def test_shutdown_wakes_a_reading_thread(client: Any) -> None:
    task = Task(client.recv, 1)
    client.shutdown(socket.SHUT_RDWR)
    assert task.result() == b""


def test_shutdown_before_the_handshake_sends_nothing(client_context: Any) -> None:
    one, other = socket.socketpair()
    with other, client_context.wrap_socket(one, server_hostname="localhost", do_handshake_on_connect=False) as wrapped:
        wrapped.shutdown(socket.SHUT_WR)
        assert other.recv(1) == b""


def test_an_invalid_how_raises_the_systems_error(client: Any) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        client.shutdown(9)


# --- close, detach ---------------------------------------------------------------------------------------------------


def test_close_sends_no_close_notify(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context, suppress_ragged_eofs=False) as (client, server):
        server.sendall(b"x")
        client.recv(1)  # and with it the tickets, as above
        client.close()
        client.close()
        with pytest.raises(tls.SSLEOFError):
            server.recv(1)


def test_a_closed_socket_raises_its_own_error(client: Any) -> None:
    client.close()
    for call in (
        client.do_handshake,
        lambda: client.recv(1),
        lambda: client.recv_into(bytearray(1)),
        lambda: client.send(b"x"),
        lambda: client.sendall(b"x"),
        lambda: client.shutdown(socket.SHUT_RDWR),
    ):
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            call()
        assert caught.value.errno == errno.EBADF
    for name, nothing in SILENT.items():
        assert getattr(client, name)() == nothing
    with pytest.raises(ValueError, match="No SSL wrapper around <"):
        client.unwrap()


def test_closing_ends_a_read_in_another_thread(client: Any) -> None:
    before = client._sslobj.counters()["syscalls"]
    task = Task(client.recv, 1)
    while client._sslobj.counters()["syscalls"] == before:
        select.select([], [], [], 0)
    client.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        task.result()


def test_the_caller_owns_a_detached_descriptor(client: Any, server: Any) -> None:
    number = client.detach()
    try:
        assert client.fileno() == -1
        with pytest.raises(OSError, match="Bad file descriptor"):
            client.send(b"secret")
        os.write(number, b"raw")
        assert socket.socket.recv(server, 3) == b"raw"
    finally:
        os.close(number)


def test_an_unclosed_socket_warns_once_and_closes(client_context: Any, server_context: Any) -> None:
    plain, far = socket.socketpair()
    with far, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrapped = client_context.wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)
        number = wrapped.fileno()
        del wrapped
        gc.collect()
        assert far.recv(1) == b""
    (warning,) = [warning for warning in caught if warning.category is ResourceWarning]
    assert f"SSLSocket fd={number}" in str(warning.message)


def test_a_closed_socket_does_not_warn(client_context: Any) -> None:
    plain, far = socket.socketpair()
    with far, warnings.catch_warnings():
        warnings.simplefilter("error")
        client_context.wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False).close()
        gc.collect()


def test_a_failed_wrap_leaves_no_descriptor_open(client_context: Any) -> None:
    plain, far = socket.socketpair()
    plain.settimeout(PATIENCE)
    far.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with far, warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(tls.SSLError):
            client_context.wrap_socket(plain, server_hostname="localhost")
        gc.collect()
        shut(far)


def test_an_unclosed_socket_is_reported_at_the_line_of_its_last_reference(client_context):
    near, far = socket.socketpair()
    wrapped = client_context.wrap_socket(near, do_handshake_on_connect=False, server_hostname=HOST)
    number = wrapped.fileno()
    with far, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del wrapped
    assert [(type(warning.message), warning.filename) for warning in caught] == [(ResourceWarning, __file__)]
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)
