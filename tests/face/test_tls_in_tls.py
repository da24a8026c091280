"""wrap_socket() of an SSLSocket: which of them carry another connection, and what becomes of both."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl as standard
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.certificates import ELSEWHERE, HOST
from tests.kit.pair import WANT, attempt
from tests.kit.records import records
from tests.kit.sockets import (
    driven,
    handshake,
    receive_exactly,
    tcp_pair,
    tls_sockets,
    tls_transport,
    unix_pair,
)
from tests.kit.subject import tls
from tests.kit.tap import is_alert
from tests.kit.threads import PATIENCE, Task


@pytest.fixture
def carriers(client_context: Any, server_context: Any) -> Iterator[tuple[Any, Any]]:
    """(client, server): an open connection, of which nothing is in flight."""
    client, server = tls_transport(client_context, server_context)()
    with client, server:
        client.settimeout(PATIENCE)
        server.settimeout(PATIENCE)
        yield client, server


def inside(carriers: tuple[Any, Any], client_context: Any, server_context: Any, **options: Any) -> tuple[Any, Any]:
    """A connection inside theirs, after its handshake."""
    client, server = carriers
    name = {"server_hostname": HOST, **options}
    near = client_context.wrap_socket(client, do_handshake_on_connect=False, **name)
    far = server_context.wrap_socket(server, server_side=True, do_handshake_on_connect=False)
    handshake(near, far)
    return near, far


# --- What cannot carry ------------------------------------------------------------------------------------------------


def test_a_connection_before_its_handshake_cannot_carry(client_context, server_context):
    plain_client, plain_server = tcp_pair()
    client = client_context.wrap_socket(plain_client, server_hostname=HOST, do_handshake_on_connect=False)
    server = server_context.wrap_socket(plain_server, server_side=True, do_handshake_on_connect=False)
    with client, server:
        for sock, options in ((client, {"server_hostname": HOST}), (server, {"server_side": True})):
            context = server_context if options.get("server_side") else client_context
            with pytest.raises(ValueError, match=r"has not shaken hands: call do_handshake\(\) first"):
                context.wrap_socket(sock, **options)
        # Nothing has changed.
        handshake(client, server)
        client.sendall(b"hello")
        assert server.recv(100) == b"hello"


def test_a_connection_with_an_incomplete_send_cannot_carry(client_context, server_context):
    def small() -> tuple[socket.socket, socket.socket]:
        near, far = unix_pair()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 5000)
        return near, far

    with tls_sockets(client_context, server_context, transport=small) as (client, server):
        client.setblocking(False)
        data = bytes(16384)
        with contextlib.suppress(standard.SSLWantWriteError):
            for _ in range(100):
                client.send(data)
        with pytest.raises(ValueError, match="send the bytes again"):
            client_context.wrap_socket(client, server_hostname=HOST, do_handshake_on_connect=False)
        receiving = Task(receive_exactly, server, len(data))
        assert driven(client, client.send, data) == len(data)
        receiving.result()


def test_a_closed_connection_cannot_carry(carriers, client_context):
    client, _ = carriers
    client.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        client_context.wrap_socket(client, server_hostname=HOST)


def test_a_connection_carries_one_other(carriers, client_context, server_context):
    near, far = inside(carriers, client_context, server_context)
    with near, far:
        with pytest.raises(OSError, match="Bad file descriptor"):
            client_context.wrap_socket(carriers[0], server_hostname=HOST)
        near.sendall(b"hello")
        assert far.recv(100) == b"hello"


def test_a_callback_cannot_put_a_connection_into_its_own(certificates, client_context, server_context, version):
    refused: list[Exception] = []

    def watch(connection: Any, *_: object) -> None:
        if armed:
            try:
                client_context.wrap_socket(connection, server_hostname=HOST)
            except ValueError as error:
                refused.append(error)

    armed: list[bool] = []
    watched = certificates.client_context(version)
    watched._msg_callback = watch
    with tls_sockets(watched, server_context) as (client, server):
        armed.append(True)
        client.sendall(b"hello")
        armed.clear()
        assert server.recv(100) == b"hello"
        client.sendall(b"again")
        assert server.recv(100) == b"again"
    assert refused
    assert all("a callback cannot" in str(error) for error in refused)


def test_a_connection_of_the_standard_library_cannot_carry(certificates, version, client_context):
    """Taking its descriptor would drop its TLS."""
    usual = certificates.client_context(version, module=standard), certificates.server_context(version, module=standard)
    client, server = tls_transport(*usual)()
    with client, server:
        with pytest.raises(NotImplementedError, match=r"ssl\.SSLSocket cannot carry TLS inside its own"):
            client_context.wrap_socket(client, server_hostname=HOST)
        client.sendall(b"hello")
        assert server.recv(100) == b"hello"


@pytest.mark.parametrize("module", [tls, standard], ids=["ours", "standard"])
def test_a_socket_that_speaks_no_tls_yet_is_a_plain_one(certificates, version, client_context, server_context, module):
    """Never connected, as with `ssl`: the last context counts. A listener may be wrapped anew with new certificates."""
    other = certificates.client_context(version, module=module).wrap_socket(socket.socket(), server_hostname=ELSEWHERE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with client_context.wrap_socket(other, server_hostname=HOST) as client:
            connecting = Task(client.connect, listener.getsockname())
            accepted, _ = listener.accept()
            with server_context.wrap_socket(accepted, server_side=True) as server:
                connecting.result()
                client.sendall(b"hello")
                assert server.recv(100) == b"hello"
                unwrapping = Task(server.unwrap)
                assert client.unwrap() is client, "there is nothing outside"
                unwrapping.result()


def test_an_unwrapped_socket_is_a_plain_one(client_context, server_context):
    with tls_sockets(client_context, server_context) as (client, server):
        unwrapping = Task(server.unwrap)
        assert client.unwrap() is client
        unwrapping.result()
        again = client_context.wrap_socket(client, server_hostname=HOST, do_handshake_on_connect=False)
        other = server_context.wrap_socket(server, server_side=True, do_handshake_on_connect=False)
        with again, other:
            handshake(again, other)
            again.sendall(b"hello")
            assert other.recv(100) == b"hello"


def test_contradictory_arguments_leave_it_alone(carriers, client_context, server_context):
    client, server = carriers
    with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        client_context.wrap_socket(client)
    client.sendall(b"hello")
    assert server.recv(100) == b"hello"


# --- What becomes of both ---------------------------------------------------------------------------------------------


def test_who_wraps_and_does_not_say_how_shakes_hands_at_once(carriers, client_context, server_context):
    client, server = carriers
    wrapping = Task(server_context.wrap_socket, server, server_side=True)
    with client_context.wrap_socket(client, server_hostname=HOST) as near, wrapping.result() as far:
        near.sendall(b"hello")
        assert far.recv(100) == b"hello"
        assert near.gettimeout() == PATIENCE


def test_the_roles_inside_may_be_the_other_ones(carriers, client_context, server_context):
    near, far = inside((carriers[1], carriers[0]), client_context, server_context)
    with near, far:
        assert far.server_side
        assert not near.server_side
        near.sendall(b"hello")
        assert far.recv(100) == b"hello"


def test_what_has_come_and_was_not_read_belongs_to_the_connection_inside(carriers, client_context, server_context):
    """A client need not wait for an answer before it begins its handshake."""
    client, server = carriers
    incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
    near = client_context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    assert attempt(near.do_handshake) is WANT
    client.sendall(b"START" + outgoing.read())
    assert server.recv(5) == b"START"
    assert server.pending() > 0
    wrapping = Task(server_context.wrap_socket, server, server_side=True)
    while attempt(near.do_handshake) is WANT:
        client.sendall(outgoing.read())
        incoming.write(client.recv(65536))
    near.write(b"hello")
    client.sendall(outgoing.read())
    with wrapping.result() as far:
        assert far.recv(100) == b"hello"


def test_each_tells_of_itself(carriers, certificates, client_context, server_context, version):
    client_context.set_alpn_protocols(["inside"])
    server_context.set_alpn_protocols(["inside"])
    near, far = inside(carriers, client_context, server_context)
    with near, far:
        assert near.selected_alpn_protocol() == far.selected_alpn_protocol() == "inside"
        assert carriers[0].selected_alpn_protocol() is None
        assert near.getpeercert() == carriers[0].getpeercert()
        assert near.get_channel_binding() != carriers[0].get_channel_binding()
        assert near.version() == version.name.replace("_", ".")


def test_a_session_is_resumed_inside(client_context, server_context):
    def once(session: Any) -> tuple[Any, bool]:
        pair = tls_transport(client_context, server_context)()
        near, far = inside(pair, client_context, server_context, session=session)
        with near, far:
            far.sendall(b"!")
            assert near.recv(1) == b"!"
            return near.session, near.session_reused

    session, _ = once(None)
    assert once(session)[1]


def test_a_refused_handshake_inside_closes_everything(certificates, carriers, client_context, version):
    client, server = carriers
    wrong = certificates.server_context(version, credentials=certificates.elsewhere)
    wrapping = Task(wrong.wrap_socket, server, server_side=True)
    with pytest.raises(standard.SSLCertVerificationError, match=HOST):
        client_context.wrap_socket(client, server_hostname=HOST)
    with pytest.raises(OSError, match=r"ALERT|EOF|reset"):
        wrapping.result()
    for sock in (client, server):
        assert sock.fileno() == -1
        with pytest.raises(OSError, match=r"carries another one|Bad file descriptor"):
            sock.recv(1)


def test_a_context_of_the_other_side_closes_it(carriers, server_context):
    client, server = carriers
    with pytest.raises(standard.SSLError, match="Cannot create a client socket with a PROTOCOL_TLS_SERVER context"):
        server_context.wrap_socket(client, server_hostname=HOST)
    assert client.fileno() == -1
    assert server.recv(1) == b"", "the connection is closed"


def test_shut_wr_says_goodbye_in_both(carriers, client_context, server_context):
    """So that neither the peer nor the proxy takes the end for a cut."""
    near, far = inside(carriers, client_context, server_context)
    with near, far:
        near.sendall(b"hello")
        near.shutdown(socket.SHUT_WR)
        assert receive_exactly(far, 5) == b"hello"
        raw = b""
        while part := socket.socket.recv(far, 65536):
            raw += part
        last = list(records(raw))[-1]
        assert is_alert(last)
        assert len(list(records(raw))) >= 2, "one of the connection inside, and one of that outside"
        with pytest.raises(standard.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
            near.send(b"more")


def test_unwrap_returns_the_socket_that_was_wrapped(certificates, client_context, server_context, version):
    class Logged(tls.SSLSocket):
        note = "mine"

    class Context(tls.SSLContext):
        sslsocket_class = Logged

    context = Context(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.ca_file)
    context.minimum_version = context.maximum_version = version
    pair = tls_transport(context, server_context)()
    pair[0].note = "still here"
    near, far = inside(pair, client_context, server_context)
    assert type(near) is tls.SSLSocket
    with near, far:
        unwrapping = Task(far.unwrap)
        with near.unwrap() as back, unwrapping.result() as other:
            assert back is pair[0]
            assert type(back) is Logged
            assert back.note == "still here"
            assert back.context is context
            with back.makefile("rwb") as file:
                file.write(b"line\n")
                file.flush()
                assert other.recv(100) == b"line\n"


def test_it_can_be_done_again_and_again(carriers, client_context, server_context):
    pair = carriers
    for number in range(3):
        near, far = inside(pair, client_context, server_context)
        with near, far:
            data = os.urandom(10 + number)
            near.sendall(data)
            assert receive_exactly(far, len(data)) == data
            unwrapping = Task(far.unwrap)
            pair = near.unwrap(), unwrapping.result()
    assert pair == carriers


def test_a_timeout_inside_is_that_of_the_socket(carriers, client_context, server_context, deadline):
    near, far = inside(carriers, client_context, server_context)
    with near, far:
        near.settimeout(0.05)
        with deadline():
            near.recv(1)
        near.settimeout(0)
        with pytest.raises(standard.SSLWantReadError):
            near.recv(1)
        assert near.send(b"hello") == 5
        assert receive_exactly(far, 5) == b"hello"
