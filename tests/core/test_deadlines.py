"""A call has one deadline, whatever its peer sends or does not send."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl as standard
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.peer import Peer
from tests.incidents.references import reference
from tests.kit.certificates import HOST
from tests.kit.deadlines import TIMEOUT
from tests.kit.deliveries import unread_by_peer
from tests.kit.pair import WANT, attempt
from tests.kit.sockets import unix_pair
from tests.kit.subject import tls
from tests.kit.threads import Task

pytestmark = reference("OpenKMIP/PyKMIP#430")

# --- A peer that sends little -----------------------------------------------------------------------------------------


class Trickle:
    """Sends a byte, waits until it was received, rests, and sends the next, until it is stopped or has sent all."""

    def __init__(self, plain: socket.socket, raw: bytes) -> None:
        self.plain = plain
        self.raw = raw
        self.sent = 0
        self.stop = threading.Event()
        self.task = Task(self.run)

    def run(self) -> None:
        for at in range(len(self.raw)):
            self.plain.send(self.raw[at : at + 1])
            self.sent += 1
            # Each rest is far shorter than the timeout of the receiver, all of them together far longer.
            while not self.stop.wait(0.01) and unread_by_peer(self.plain):
                pass
            if self.stop.is_set():
                return

    def ended(self) -> int:
        self.stop.set()
        self.task.result()
        return self.sent


def test_a_recv_has_one_deadline_however_slowly_its_record_arrives(client_context, server_context):
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        raw = peer.encrypt(bytes(2000))
        peer.sock.settimeout(0.2)
        trickle = Trickle(peer.plain, raw)
        with pytest.raises(TimeoutError, match="read operation timed out"):
            peer.sock.recv(100)
        sent = trickle.ended()
        assert 0 < sent < len(raw), "the call ended before the record was there"
        # It is a timeout, not the end.
        peer.deliver(raw[sent:])
        assert peer.sock.recv(3000) == bytes(2000)


def test_a_handshake_has_one_deadline_however_slowly_its_flight_arrives(client_context, server_context):
    near, far = unix_pair()
    with far, client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        server = server_context.wrap_bio(incoming, outgoing, server_side=True)
        client.settimeout(0)
        assert attempt(client.do_handshake) is WANT
        incoming.write(far.recv(65536))
        assert attempt(server.do_handshake) is WANT
        client.settimeout(0.2)
        trickle = Trickle(far, bytes(outgoing.read()))
        with pytest.raises(TimeoutError, match="handshake operation timed out"):
            client.do_handshake()
        assert 0 < trickle.ended() < len(trickle.raw)


def test_an_unwrap_has_one_deadline_however_much_data_arrives_instead(client_context, server_context):
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        peer.sock.settimeout(0.2)
        trickle = Trickle(peer.plain, peer.encrypt(bytes(2000)))
        with pytest.raises(TimeoutError, match="read operation timed out"):
            peer.sock.unwrap()
        assert 0 < trickle.ended() < len(trickle.raw)


def test_a_timeout_leaves_the_connection_usable(peer):
    for _ in range(3):
        peer.sock.settimeout(0.01)
        with pytest.raises(TimeoutError):
            peer.sock.recv(100)
        peer.deliver(peer.encrypt(b"hello"))
        assert peer.sock.recv(100) == b"hello"
        assert peer.sock.send(b"x") == 1


def test_a_changed_timeout_applies_to_the_next_call(peer):
    peer.sock.settimeout(0.01)
    with pytest.raises(TimeoutError):
        peer.sock.recv(1)
    peer.sock.settimeout(0)
    with pytest.raises(standard.SSLWantReadError):
        peer.sock.recv(1)
    peer.sock.settimeout(0.01)
    with pytest.raises(TimeoutError):
        peer.sock.recv(1)
    peer.sock.settimeout(None)
    receiving = Task(peer.sock.recv, 10)
    peer.plain.sendall(peer.encrypt(b"hello"))
    assert receiving.result() == b"hello"


# --- A peer that does nothing, or reads little ------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["recv", "do_handshake", "unwrap"])
def test_a_silent_peer_times_out(client_context: Any, server_context: Any, deadline: Any, operation: str) -> None:
    with Peer(client_context, server_context, handshake=operation != "do_handshake") as peer:
        peer.sock.settimeout(TIMEOUT)
        with deadline():
            getattr(peer.sock, operation)()


@pytest.mark.parametrize("operation", ["send", "sendall"])
def test_a_peer_that_never_reads_times_out(
    client_context: Any, server_context: Any, deadline: Any, operation: str
) -> None:
    with Peer(client_context, server_context) as peer:
        peer.sock.settimeout(TIMEOUT)
        while select.select([], [peer.sock], [], 0)[1]:
            peer.sock.setblocking(False)
            with contextlib.suppress(tls.SSLWantWriteError):
                while True:
                    peer.sock.send(bytes(65536))
        peer.sock.settimeout(TIMEOUT)
        with deadline():
            getattr(peer.sock, operation)(bytes(65536))


def send_file(sock: Any, path: Path) -> None:
    with path.open("rb") as file:
        sock.sendfile(file)


SENDING: dict[str, Callable[[Any, Path], object]] = {
    "sendall": lambda sock, path: sock.sendall(path.read_bytes()),
    "sendall of a program's send": lambda sock, path: passing_on(sock).sendall(path.read_bytes()),
    "sendfile": send_file,
    "a file's write": lambda sock, path: sock.makefile("wb").write(path.read_bytes()),
    "a file's write of a program's send": lambda sock, path: passing_on(sock).makefile("rwb").write(path.read_bytes()),
    "a file's write of text": lambda sock, path: sock.makefile("w").write(path.read_text()),
    "a file's flush": lambda sock, path: written(sock.makefile("wb", 2**30), path.read_bytes()).flush(),
}


def passing_on(sock: Any) -> Any:
    sock.send = lambda data: type(sock).send(sock, data)
    return sock


def written(file: Any, data: bytes) -> Any:
    file.write(data)
    return file


# A file tries again to write what is left when it is freed, and Python 3.14 reports that it cannot.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", SENDING)
def test_a_peer_that_reads_a_little_now_and_then_times_out(
    client_context: Any, server_context: Any, deadline: Any, tmp_path: Path, name: str
) -> None:
    """One call has one deadline, however often a part of it goes out."""
    (tmp_path / "file").write_bytes(bytes(8 * 1024 * 1024))
    with Peer(client_context, server_context) as peer:
        peer.sock.settimeout(TIMEOUT)
        over = threading.Event()

        def take_a_little() -> None:
            while not over.wait(TIMEOUT / 4):
                with contextlib.suppress(BlockingIOError):  # nothing has been sent yet, or not again
                    peer.plain.recv(65536)

        taking = Task(take_a_little)
        try:
            with deadline():
                SENDING[name](peer.sock, tmp_path / "file")
        finally:
            over.set()
            taking.result()
