"""Signals during calls."""

from __future__ import annotations

import socket
import ssl as standard

import pytest

from tests.core.peer import Peer, readable, until
from tests.core.signals import ringing
from tests.kit.certificates import HOST
from tests.kit.sockets import handshake, unix_pair
from tests.kit.threads import PATIENCE, Task


class Bell(Exception):
    """Raised by a signal handler."""


def bell() -> None:
    raise Bell


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
def test_a_recv_continues_after_a_signal_handler(peer, timeout):
    peer.sock.settimeout(timeout)
    raw = peer.encrypt(b"hello")
    handled = []
    with ringing(lambda: handled.append(1), then=lambda: peer.plain.sendall(raw)):
        assert peer.sock.recv(100) == b"hello"
    assert handled == [1]


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
def test_a_signal_handler_that_raises_ends_the_recv_but_not_the_connection(peer, timeout):
    peer.sock.settimeout(timeout)
    with ringing(bell), pytest.raises(Bell):
        peer.sock.recv(100)
    peer.deliver(peer.encrypt(b"hello"))
    assert peer.sock.recv(100) == b"hello"
    assert peer.sock.send(b"answer") == 6


def test_a_signal_handler_that_raises_within_a_record_loses_no_data(peer):
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


def test_a_send_can_be_retried_after_a_signal_handler_raises(client_context, server_context):
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


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_a_callback_ended_the_program_with_is_not_lost_to_a_signal_handler(client_context, kind):
    """The handler raises while the call, which raises it at its end, waits for the peer."""
    ended = []

    def end(*_):
        ended.append(kind())
        raise ended[-1]

    client_context.message_callback = end
    near, far = unix_pair()
    with far, client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        waits = ringing(bell, when=lambda frame: bool(ended) and frame.f_code.co_name == "do_handshake")
        with waits, pytest.raises(kind) as caught:
            client.do_handshake()
    assert caught.value is ended[-1]
    behind = [caught.value.__context__]
    while behind[-1] is not None:
        behind.append(behind[-1].__context__)
    assert Bell in map(type, behind)


def test_a_handshake_can_be_resumed_after_a_signal_handler_raises(client_context, server_context):
    near, far = unix_pair()
    with client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        with server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server:
            with ringing(bell), pytest.raises(Bell):
                client.do_handshake()
            handshake(client, server)
