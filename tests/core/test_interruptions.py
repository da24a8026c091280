"""Signals in mid-call, and the one deadline that a call has."""

from __future__ import annotations

import socket
import ssl as standard
import threading

import pytest

from tests.core.peer import Peer, readable, until
from tests.core.signals import ringing
from tests.kit.certificates import HOST
from tests.kit.deliveries import unread_by_peer
from tests.kit.pair import WANT, attempt
from tests.kit.sockets import handshake, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

# --- Signals ----------------------------------------------------------------------------------------------------------


class Bell(Exception):
    """Raised by a signal handler."""


def bell() -> None:
    raise Bell


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
def test_a_signal_handler_runs_during_a_recv_that_goes_on(peer, timeout):
    peer.sock.settimeout(timeout)
    raw = peer.encrypt(b"hello")
    handled = []
    with ringing(lambda: handled.append(1), then=lambda: peer.plain.sendall(raw)):
        assert peer.sock.recv(100) == b"hello"
    assert handled == [1]


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
def test_a_signal_handler_that_raises_ends_the_recv_and_not_the_connection(peer, timeout):
    peer.sock.settimeout(timeout)
    with ringing(bell), pytest.raises(Bell):
        peer.sock.recv(100)
    peer.deliver(peer.encrypt(b"hello"))
    assert peer.sock.recv(100) == b"hello"
    assert peer.sock.send(b"answer") == 6


def test_a_signal_handler_that_raises_in_mid_record_loses_nothing(peer):
    raw = peer.encrypt(b"hello")
    peer.sock.settimeout(PATIENCE)
    peer.deliver(raw[:-1])
    with ringing(bell), pytest.raises(Bell):
        peer.sock.recv(100)
    peer.deliver(raw[-1:])
    assert peer.sock.recv(100) == b"hello"


def test_a_signal_handler_may_use_the_connection_that_it_interrupts(peer):
    peer.sock.settimeout(PATIENCE)
    raw = peer.encrypt(b"hello")
    with ringing(lambda: peer.sock.sendall(b"from the handler"), then=lambda: peer.plain.sendall(raw)):
        assert peer.sock.recv(100) == b"hello"
    until(lambda: peer.drain() or peer.incoming.pending, "it has arrived")
    assert peer.decrypted() == b"from the handler"


def test_a_signal_handler_that_raises_ends_a_send_whose_retry_is_safe(client_context, server_context):
    def small() -> tuple[socket.socket, socket.socket]:
        near, far = unix_pair()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10000)
        return near, far

    with Peer(client_context, server_context, transport=small) as peer:
        sent = b""
        while True:
            part = b"%08d" % len(sent) * 1000
            try:
                peer.sock.send(part)
            except standard.SSLWantWriteError:
                break
            sent += part
        peer.sock.settimeout(PATIENCE)
        with ringing(bell), pytest.raises(Bell):
            peer.sock.send(part)
        with pytest.raises(standard.SSLError, match="BAD_WRITE_RETRY"):
            peer.sock.send(b"other")
        sending = Task(peer.sock.send, part)
        arrived = b""
        while sending.running or readable(peer.plain):
            peer.drain()
            arrived += peer.decrypted()
        assert sending.result() == len(part)
        assert arrived == sent + part


def test_a_signal_handler_that_raises_ends_a_handshake_that_goes_on_later(client_context, server_context):
    near, far = unix_pair()
    with client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        with server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server:
            with ringing(bell), pytest.raises(Bell):
                client.do_handshake()
            handshake(client, server)


# --- One deadline for the whole call ----------------------------------------------------------------------------------


class Trickle:
    """Sends a byte, waits until it was taken, rests, sends the next; until it is stopped or has sent all."""

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


def test_a_recv_has_one_deadline_however_slowly_its_record_comes(client_context, server_context):
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


def test_a_handshake_has_one_deadline_however_slowly_its_flight_comes(client_context, server_context):
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


def test_an_unwrap_has_one_deadline_however_much_comes_instead(client_context, server_context):
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


def test_a_change_of_the_timeout_holds_for_the_next_call(peer):
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
