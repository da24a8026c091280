"""A truncated stream is never mistaken for one that its sender ended (RFC 8446, section 6.1)."""

from __future__ import annotations

import socket
import ssl as standard
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.peer import Peer
from tests.incidents.forger import CLOSE_NOTIFY, USER_CANCELED, Forger, forgeable_contexts
from tests.incidents.references import reference
from tests.kit.certificates import HOST, Certificates
from tests.kit.deliveries import DELIVERIES, Delivery
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import driven, unix_pair

MESSAGES = [b"first", b"the second message", b"3"]


def flight(side: Any, outgoing: Any) -> tuple[bytes, bytes]:
    """A server's records of MESSAGES and its close_notify, and the plaintext of them."""
    for message in MESSAGES:
        side.write(message)
    attempt(side.unwrap)
    return bytes(outgoing.read()), b"".join(MESSAGES)


def read_to_the_end(read: Any) -> tuple[bytes, Any]:
    """The data, and its end: b"" or the error."""
    data = b""
    while True:
        try:
            part = read(7)
        except standard.SSLError as error:
            return data, error
        if not part:
            return data, b""
        data += part


def shaken(client_context: Any, server_context: Any) -> Pair:
    pair = Pair(client_context, server_context)
    pair.handshake()
    return pair


@pytest.fixture
def size(client_context, server_context):
    """Of the flight: the same for every connection of one version."""
    pair = shaken(client_context, server_context)
    return len(flight(pair.server, pair.to_client.outgoing)[0])


@reference("python/cpython#148292")
def test_the_end_of_a_cut_stream_is_final(client_context, server_context, size):
    for cut in range(0, size, 11):
        pair = shaken(client_context, server_context)
        raw, _ = flight(pair.server, pair.to_client.outgoing)
        pair.to_client.incoming.write(raw[:cut])
        pair.to_client.incoming.write_eof()
        read_to_the_end(pair.client.read)
        for operation in (pair.client.read, lambda pair=pair: pair.client.write(b"x"), pair.client.do_handshake) * 2:
            with pytest.raises(standard.SSLEOFError):
                operation()


def test_a_handshake_cut_at_any_byte_fails(client_context, server_context, version):
    """The server's first flight: certificate, key exchange and, in TLS 1.3, its Finished."""
    cut = 0
    while True:
        pair = Pair(client_context, server_context)
        assert attempt(pair.client.do_handshake) is WANT
        pair.pump()
        assert attempt(pair.server.do_handshake) is WANT
        raw = pair.to_client.outgoing.read()
        if cut >= len(raw):
            break
        pair.to_client.incoming.write(raw[:cut])
        pair.to_client.incoming.write_eof()
        with pytest.raises(standard.SSLEOFError):
            pair.client.do_handshake()
        with pytest.raises(standard.SSLEOFError):
            pair.client.read()
        cut += 1
    assert cut > 500


def test_the_end_of_a_cut_socket_is_final(client_context, server_context, transport):
    with Peer(client_context, server_context, transport=transport, suppress_ragged_eofs=False) as peer:
        peer.deliver(peer.encrypt(b"hello")[:-1])
        peer.plain.shutdown(socket.SHUT_WR)
        for _ in range(3):
            with pytest.raises(standard.SSLEOFError):
                driven(peer.sock, peer.sock.recv, 100)
            with pytest.raises(standard.SSLEOFError):
                peer.sock.recv_into(bytearray(100))
            with pytest.raises(standard.SSLEOFError):
                peer.sock.send(b"x")


def test_a_suppressed_end_is_final(client_context, server_context, transport):
    with Peer(client_context, server_context, transport=transport) as peer:
        peer.plain.shutdown(socket.SHUT_WR)
        for _ in range(3):
            assert peer.sock.recv(100) == b""
            assert peer.sock.recv_into(bytearray(100)) == 0


@pytest.mark.parametrize("suppress", [False, True], ids=["strict", "suppress_ragged_eofs"])
def test_a_cut_handshake_is_never_suppressed(client_context, suppress):
    near, far = unix_pair()
    with far:
        with client_context.wrap_socket(
            near, server_hostname=HOST, do_handshake_on_connect=False, suppress_ragged_eofs=suppress
        ) as client:
            far.shutdown(socket.SHUT_WR)
            with pytest.raises(standard.SSLEOFError):
                client.do_handshake()


def test_an_unwrap_of_a_cut_stream_fails(client_context, server_context):
    """An explicit wait for the peer's close_notify reports that it is missing."""
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        peer.plain.shutdown(socket.SHUT_WR)
        with pytest.raises(standard.SSLEOFError):
            peer.sock.unwrap()


def test_a_reset_is_not_an_end(client_context, server_context):
    with Peer(client_context, server_context, suppress_ragged_eofs=True) as peer:
        peer.sock.send(b"unread")
        peer.plain.close()
        with pytest.raises(ConnectionResetError):
            peer.sock.recv(100)


def alert_of(peer: Peer) -> bytes:
    """The fatal alert of a peer that was sent nonsense."""
    peer.incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(standard.SSLError):
        peer.tls.read()
    return bytes(peer.outgoing.read())


def forged_record(_: Peer) -> bytes:
    return b"\x17\x03\x03\x00\x20" + bytes(32)


@pytest.mark.parametrize("suppress", [False, True], ids=["strict", "suppress_ragged_eofs"])
@pytest.mark.parametrize("event", [alert_of, forged_record], ids=["alert", "forged"])
@pytest.mark.parametrize("peeks", [False, True], ids=["recv", "peek"])
def test_a_fatal_alert_and_a_forged_record_cut_the_data(
    client_context, server_context, transport, suppress, event, peeks
):
    """The error is raised once, and OpenSSL takes it for an end after that: a program must be able to tell."""
    with Peer(client_context, server_context, transport=transport, suppress_ragged_eofs=suppress) as peer:
        peer.deliver(peer.encrypt(b"data"))
        assert peer.sock.recv(10) == b"data"
        assert peer.sock.truncated is False
        peer.deliver(event(peer))
        with pytest.raises(standard.SSLError, match=r"BAD_RECORD_MAC|UNEXPECTED_MESSAGE|RECORD_LAYER_FAILURE"):
            (peer.sock.peek if peeks else peer.sock.recv)(10)
        assert peer.sock.truncated is True


def test_a_reset_cuts_the_data(client_context, server_context, transport):
    with Peer(client_context, server_context, transport=transport) as peer:
        peer.sock.send(b"unread")
        peer.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        peer.plain.close()
        with pytest.raises(ConnectionResetError):
            peer.sock.recv(100)
        assert peer.sock.truncated is True


def test_what_fails_after_a_clean_end_cuts_nothing(client_context, server_context, transport):
    with Peer(client_context, server_context, transport=transport) as peer:
        peer.deliver(peer.encrypt(b"data") + peer.close_notify())
        assert driven(peer.sock, peer.sock.recv, 10) == b"data"
        assert driven(peer.sock, peer.sock.recv, 10) == b""
        peer.sock.close_notify()
        with pytest.raises(standard.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
            peer.sock.send(b"more")
        peer.plain.close()
        assert peer.sock.recv(10) == b""
        assert peer.sock.truncated is False


def test_a_misuse_cuts_nothing(client_context, server_context):
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        peer.sock.close_notify()
        with pytest.raises(standard.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
            peer.sock.send(b"more")
        assert peer.sock.truncated is False
        peer.deliver(peer.encrypt(b"data") + peer.close_notify())
        assert peer.sock.recv(10) == b"data"
        assert peer.sock.recv(10) == b""
        assert peer.sock.truncated is False


@reference("python/cpython#72002")
@pytest.mark.parametrize("suppress", [False, True], ids=["strict", "suppress_ragged_eofs"])
def test_a_clean_end_is_not_a_truncation(client_context: Any, server_context: Any, suppress: bool) -> None:
    with Peer(client_context, server_context, transport=unix_pair, suppress_ragged_eofs=suppress) as peer:
        assert peer.sock.truncated is False
        peer.deliver(peer.encrypt(b"data") + peer.close_notify())
        assert driven(peer.sock, peer.sock.recv, 10) == b"data"
        assert driven(peer.sock, peer.sock.recv, 10) == b""
        peer.plain.close()
        assert peer.sock.recv(10) == b""
        assert peer.sock.truncated is False
    assert peer.sock.truncated is None


@reference("python/cpython#72002")
def test_suppress_ragged_eofs_can_be_changed_on_a_socket_in_use(client_context: Any, server_context: Any) -> None:
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        peer.sock.suppress_ragged_eofs = False
        peer.plain.shutdown(socket.SHUT_WR)
        with pytest.raises(standard.SSLEOFError):
            driven(peer.sock, peer.sock.recv, 10)


def test_a_forged_plaintext_close_notify_is_not_an_end(pair: Pair) -> None:
    """An unauthenticated alert in place of close_notify."""
    pair.handshake()
    pair.to_client.incoming.write(bytes.fromhex("15030300020100"))
    with pytest.raises(standard.SSLError) as error:
        pair.client.read()
    assert not isinstance(error.value, standard.SSLWantReadError)
    with pytest.raises(standard.SSLError):
        pair.client.read()


# --- A clean end that OpenSSL reports as a failure --------------------------------------------------------------------


@pytest.fixture
def canceling(certificates: Certificates, tmp_path: Path) -> Iterator[tuple[Peer, bytes]]:
    """A client, and what a server sends that cancels before it closes, as those of Java 11 to 18 do."""
    client_context, server_context = forgeable_contexts(certificates, tmp_path / "keys")
    with Peer(client_context, server_context, suppress_ragged_eofs=False) as peer:
        forger = Forger(tmp_path / "keys")
        forger.sequence = 1  # after the one with which the Peer ends its handshake
        yield peer, forger.data(b"data") + forger.warning(USER_CANCELED) + forger.warning(CLOSE_NOTIFY)


@reference("openssl/openssl#25254")
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_peer_that_cancels_and_then_closes_has_closed(canceling: tuple[Peer, bytes], delivery: Delivery) -> None:
    peer, flight = canceling
    data = b""
    for piece in delivery(flight):
        peer.deliver(piece)
        data += attempt_to_receive(peer.sock)
    assert data == b"data"
    assert peer.sock.recv(1) == peer.sock.recv(1) == b""
    peer.sock.sendall(b"the other direction is open")
    peer.sock.unwrap()


def attempt_to_receive(sock: Any) -> bytes:
    received = attempt(sock.recv, 100)
    return b"" if received is WANT else received
