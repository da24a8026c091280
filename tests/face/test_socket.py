"""SSLSocket as a socket: reading and writing in all their forms, and the methods that TLS does not allow."""

from __future__ import annotations

import array
import copy
import io
import os
import pickle
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import HOST
from tests.kit.pair import Pair
from tests.kit.sockets import receive_exactly, tcp_pair, tls_sockets, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

REFUSED = {
    "recvfrom": (ValueError, (1,)),
    "recvfrom_into": (ValueError, (bytearray(1),)),
    "sendto": (ValueError, (b"x", ("localhost", 1))),
    "recvmsg": (NotImplementedError, (1,)),
    "recvmsg_into": (NotImplementedError, ([bytearray(1)],)),
    "sendmsg": (NotImplementedError, ([b"x"],)),
    "dup": (NotImplementedError, ()),
}
FLAGGED = {"recv": (1, 1), "recv_into": (bytearray(1), 1, 1), "send": (b"x", 1), "sendall": (b"x", 1)}


@pytest.mark.parametrize("name", REFUSED)
def test_methods_that_would_bypass_tls_are_rejected(client: Any, name: str) -> None:
    error, arguments = REFUSED[name]
    with pytest.raises(error, match=r"not allowed on instances of|Can't dup\(\) SSLSocket instances"):
        getattr(client, name)(*arguments)


@pytest.mark.parametrize("name", FLAGGED)
def test_flags_are_rejected(client: Any, name: str) -> None:
    with pytest.raises(ValueError, match=rf"non-zero flags not allowed in calls to {name}\(\)"):
        getattr(client, name)(*FLAGGED[name])


@pytest.mark.parametrize("copied", [copy.copy, pickle.dumps])
def test_a_socket_is_neither_copied_nor_pickled(client: Any, copied: Any) -> None:
    with pytest.raises(TypeError, match="cannot pickle 'SSLSocket' object"):
        copied(client)


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_recv_returns_what_has_arrived(client: Any, server: Any) -> None:
    client.sendall(b"hello")
    assert server.recv(2) == b"he"
    assert server.pending() == 3
    assert server.recv(100) == b"llo"
    assert server.pending() == 0


def test_recv_of_nothing_does_not_wait(client: Any) -> None:
    assert client.recv(0) == b""
    assert client.read(0) == b""
    assert client.recv_into(bytearray(0)) == 0
    with pytest.raises(ValueError, match="size should not be negative"):
        client.recv(-1)


def test_recv_into_fills_the_buffer_or_a_part_of_it(client: Any, server: Any) -> None:
    client.sendall(b"0123456789")
    buffer = bytearray(4)
    assert server.recv_into(buffer) == 4
    assert buffer == b"0123"
    assert server.recv_into(buffer, 2) == 2
    assert buffer == b"4523"
    assert server.recv_into(buffer, 0) == 4
    assert buffer == b"6789"


@pytest.mark.parametrize("size", [-1, 100])
def test_a_size_that_does_not_fit_means_the_whole_buffer(client: Any, server: Any, size: int) -> None:
    client.sendall(b"0123456789")
    buffer = bytearray(4)
    assert server.recv_into(buffer, size) == 4
    assert buffer == b"0123"


def test_recv_into_accepts_items_of_any_size(client: Any, server: Any) -> None:
    client.sendall(b"01234567")
    numbers = array.array("i", [0, 0])
    assert server.recv_into(numbers) == 8
    assert numbers.tobytes() == b"01234567"
    client.sendall(b"8")
    with memoryview(bytearray(8)).cast("B", (2, 4)) as table:
        assert server.recv_into(table) == 1


def test_recv_into_none_returns_bytes(client: Any, server: Any) -> None:
    client.sendall(b"hello")
    assert server.recv_into(None, 2) == b"he"
    assert server.recv_into(None) == b"llo"


def test_a_read_only_buffer_is_rejected(client: Any) -> None:
    with pytest.raises((TypeError, BufferError)):
        client.recv_into(b"constant")


def test_read_is_recv_with_or_without_a_buffer(client: Any, server: Any) -> None:
    client.write(b"0123456789")
    assert server.read(3) == b"012"
    buffer = bytearray(3)
    assert server.read(2, buffer) == 2
    assert buffer == b"34\0"
    assert server.read() == b"56789"


# --- Writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"12345678", bytearray(b"12345678"), array.array("i", [1, 2]), memoryview(b"xxxxxxxx")]
)
def test_any_buffer_is_sent(client: Any, server: Any, data: Any) -> None:
    assert client.send(data) == 8
    client.sendall(data)
    assert receive_exactly(server, 16) == bytes(memoryview(data).cast("B")) * 2


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 3_000_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_sendall_sends_everything(client: Any, server: Any, kind: Any, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    task = Task(receive_exactly, server, size)
    assert client.sendall(kind(data[:size])) is None
    assert task.result() == data[:size]


def test_sendall_of_nothing_does_nothing(client_context: Any, server_context: Any) -> None:
    """Before the handshake, which it does not begin, and after a close_notify, as in `ssl`."""
    plain, peer = tcp_pair()
    with peer, client_context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False) as client:
        assert client.sendall(b"") is client.sendall(bytearray()) is None
        with pytest.raises(BlockingIOError):
            peer.recv(1, socket.MSG_DONTWAIT)
    with tls_sockets(client_context, server_context) as (client, _):
        client.close_notify()
        assert client.sendall(b"") is None
        with pytest.raises(TypeError):
            client.sendall("")


def test_sendall_continues_after_a_partial_count(
    client_context: Any, server_context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a non-blocking socket send() may take a part; sendall() there raises only where nothing more goes.
    with tls_sockets(client_context, server_context) as (client, server):
        client.setblocking(False)
        with pytest.raises((tls.SSLWantWriteError, tls.SSLWantReadError)):
            client.sendall(bytes(20_000_000))
        server.settimeout(30)
        assert server.recv(100) == bytes(100)


def test_sending_nothing_sends_nothing(client: Any) -> None:
    assert client.send(b"") == 0
    assert client.write(b"") == 0
    assert client.sendall(b"") is None


@pytest.mark.parametrize("wrong", ["text", 3, None])
def test_only_buffers_are_sent(client: Any, wrong: Any) -> None:
    for method in (client.send, client.sendall, client.write):
        with pytest.raises(TypeError):
            method(wrong)


def test_a_non_contiguous_buffer_is_rejected(client: Any) -> None:
    with pytest.raises(BufferError):
        client.send(memoryview(b"123456")[::2])


# --- Files -----------------------------------------------------------------------------------------------------------


def test_makefile_reads_and_writes(client: Any, server: Any) -> None:
    with client.makefile("rwb") as ours, server.makefile("rwb") as theirs:
        ours.write(b"one\ntwo\n")
        ours.flush()
        assert theirs.readline() == b"one\n"
        assert theirs.readline() == b"two\n"
        theirs.write(b"three\n")
        theirs.flush()
        assert ours.readline() == b"three\n"


@pytest.mark.parametrize("mode", ["wb", "rwb"])
def test_a_file_goes_on_where_it_was_when_the_time_was_up(client: Any, server: Any, mode: str) -> None:
    data = bytes(range(251)) * 20_000
    file = client.makefile(mode, len(data))
    file.write(data)
    client.settimeout(0.01)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            file.flush()
    client.settimeout(PATIENCE)
    receiving = Task(receive_exactly, server, len(data))
    file.close()
    assert receiving.result() == data


def test_a_file_of_text_is_as_any_sockets(client: Any, server: Any) -> None:
    plain, other = unix_pair()
    with plain, other, plain.makefile("rw", encoding="latin-1", newline="\r\n") as expected:
        with client.makefile("rw", encoding="latin-1", newline="\r\n") as file:
            file.write("ü\n")
            file.flush()
            assert server.recv(10) == b"\xfc\r\n"
            for name in ("mode", "encoding", "newlines", "errors", "line_buffering"):
                assert getattr(file, name) == getattr(expected, name)
    for arguments in ({"mode": "wx"}, {"mode": "w", "buffering": 0}):
        with pytest.raises(ValueError, match=r"invalid mode|must be binary"):
            client.makefile(**arguments)


def test_a_file_keeps_its_closed_socket_alive(client: Any, server: Any) -> None:
    file = client.makefile("rb")
    client.close()
    server.sendall(b"line\n")
    assert file.readline() == b"line\n"
    assert client.fileno() != -1
    file.close()
    assert client.fileno() == -1


@pytest.mark.parametrize(("offset", "count"), [(0, None), (100, None), (0, 50_000), (100, 50_000)])
def test_sendfile_sends_a_file_or_a_part_of_it(
    client: Any, server: Any, tmp_path: Path, offset: int, count: int | None
) -> None:
    data = bytes(range(251)) * 1000
    expected = data[offset:] if count is None else data[offset : offset + count]
    path = tmp_path / "file"
    path.write_bytes(data)
    task = Task(receive_exactly, server, len(expected))
    with path.open("rb") as file:
        assert client.sendfile(file, offset, count) == len(expected)
        assert file.tell() == offset + len(expected)
    assert task.result() == expected


def test_sendfile_rejects_text_files_and_non_blocking_sockets(client: Any, tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="file should be opened in binary mode"),
        (tmp_path / "text").open("w+") as text,
    ):
        client.sendfile(text)
    client.setblocking(False)
    with pytest.raises(ValueError, match="non-blocking sockets are not supported"):
        client.sendfile(io.BytesIO(b"data"))


# --- What was negotiated ---------------------------------------------------------------------------------------------


def test_both_ends_report_the_same_parameters(client: Any, server: Any, version: Any) -> None:
    name = {tls.TLSVersion.TLSv1_2: "TLSv1.2", tls.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    assert client.version() == server.version() == name
    assert client.cipher() == server.cipher()
    assert client.cipher() in server.shared_ciphers()
    assert client.shared_ciphers() is None
    assert client.compression() is server.compression() is None
    assert client.group() == server.group()
    assert client.get_channel_binding("tls-unique") == server.get_channel_binding("tls-unique")
    with pytest.raises(ValueError, match="'x' channel binding type not implemented"):
        client.get_channel_binding("x")


def test_the_servers_certificate_is_returned(client: Any, server: Any) -> None:
    assert ("DNS", "localhost") in client.getpeercert()["subjectAltName"]
    assert client.getpeercert(True) == client.get_unverified_chain()[0]
    assert server.getpeercert() is None


def test_the_low_level_connection_knows_its_owner(client: Any) -> None:
    assert client._sslobj.owner is client
    assert client._sslobj.context is client.context
    assert client._sslobj.get_unverified_chain()[0].public_bytes(2) == client.getpeercert(True)


def test_post_handshake_authentication_needs_a_server_and_tls_1_3(client: Any, server: Any, version: Any) -> None:
    with pytest.raises(tls.SSLError) as caught:
        client.verify_client_post_handshake()
    assert caught.value.reason == ("NOT_SERVER" if version == tls.TLSVersion.TLSv1_3 else "WRONG_SSL_VERSION")
    with pytest.raises(tls.SSLError) as caught:
        server.verify_client_post_handshake()
    assert caught.value.reason in {"EXTENSION_NOT_RECEIVED", "WRONG_SSL_VERSION"}


# --- Waiting ---------------------------------------------------------------------------------------------------------


def test_a_timeout_is_a_timeout_error(client: Any) -> None:
    client.settimeout(0.01)
    with pytest.raises(TimeoutError, match="The read operation timed out"):
        client.recv(1)


def test_a_non_blocking_read_raises_want_read(client: Any) -> None:
    client.setblocking(False)
    with pytest.raises(tls.SSLWantReadError) as caught:
        client.recv(1)
    assert caught.value.args[0] == tls.SSL_ERROR_WANT_READ
    assert not isinstance(caught.value, BlockingIOError)


def test_do_handshake_can_block_on_a_non_blocking_socket(client: Any, server: Any) -> None:
    client.setblocking(False)
    client.do_handshake(block=True)
    assert client.gettimeout() == 0.0


@pytest.mark.parametrize("timeout", [None, 5.0, 0.0], ids=["blocking", "timeout", "non-blocking"])
def test_a_read_after_a_failure_does_not_wait(client_context: Any, server_context: Any, timeout: float | None) -> None:
    """Nothing will come any more, whoever waits, as with `ssl`."""
    other = Pair(client_context, server_context)
    other.handshake()
    other.server.write(b"of another connection")
    with tls_sockets(client_context, server_context) as (client, server):
        server.sendall(b"data")
        os.write(server.fileno(), other.to_client.outgoing.read())
        assert receive_exactly(client, 4) == b"data"
        with pytest.raises(tls.SSLError, match=r"BAD_RECORD_MAC|RECORD_LAYER_FAILURE"):
            client.recv(1)
        client.settimeout(timeout)
        assert [client.recv(1), client.recv(1)] == [b"", b""]


def test_the_longest_timeout_does_not_expire_at_once(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context) as (client, server):
        client.settimeout(threading.TIMEOUT_MAX)
        sending = Task(server.sendall, b"data")
        assert client.recv(10) == b"data"
        sending.result()
