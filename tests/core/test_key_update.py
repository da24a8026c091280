"""Key updates of TLS 1.3: on request and by count, in full duplex, and behind whatever waits for the kernel."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl as standard
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.peer import Peer
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.deliveries import Relay, byte_by_byte
from tests.kit.pair import Pair, attempt
from tests.kit.programs import OpenSSLClient, OpenSSLServer, Process, program
from tests.kit.servers import Server, echo
from tests.kit.sockets import (
    NON_BLOCKING,
    connect,
    handshake,
    receive_exactly,
    send_all,
    tcp_pair,
    tls_sockets,
    tls_transport,
)
from tests.kit.subject import tls
from tests.kit.threads import Task

RECORD = 16384
KEY_UPDATE = 24  # the type of the message (RFC 8446, section 4.6.3)
TLS13, TLS12 = standard.TLSVersion.TLSv1_3, standard.TLSVersion.TLSv1_2


@pytest.fixture
def version() -> Any:
    return TLS13


class Updates:
    """Counts the KeyUpdates that the connections of a context have sent and received."""

    def __init__(self, context: Any) -> None:
        self.write = self.read = 0
        context.message_callback = self.look

    def look(self, _: Any, direction: str, __: int, content: int, message: int, ___: bytes) -> None:
        if (content, message) == (22, KEY_UPDATE):
            setattr(self, direction, getattr(self, direction) + 1)


# --- On request -------------------------------------------------------------------------------------------------------


def test_only_our_keys_are_updated_unless_the_peer_is_asked(client_context: Any, server_context: Any) -> None:
    ours, theirs = Updates(client_context), Updates(server_context)
    pair = Pair(client_context, server_context)
    pair.handshake()
    pair.client.key_update()
    assert pair.transfer(b"after", pair.client) == b"after"
    assert pair.transfer(b"answer", pair.server) == b"answer"
    assert (ours.write, ours.read, theirs.write, theirs.read) == (1, 0, 0, 1)
    pair.client.key_update(request_peer=True)
    assert pair.transfer(b"after", pair.client) == b"after"
    assert pair.transfer(b"answer", pair.server) == b"answer"
    assert (ours.write, ours.read, theirs.write, theirs.read) == (2, 1, 1, 2)


def test_both_ends_update_while_both_send(client_context: Any, server_context: Any, mode: Any) -> None:
    data = os.urandom(RECORD * 20)
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):

        def send(sock: Any) -> None:
            for at in range(0, len(data), RECORD):
                send_all(sock, data[at : at + RECORD])
                sock.key_update(request_peer=at % 3 == 0)

        tasks = [Task(send, sock) for sock in (client, server)]
        arrived = [Task(receive_exactly, sock, len(data)) for sock in (client, server)]
        assert [task.result() for task in arrived] == [data, data]
        for task in tasks:
            task.result()


@pytest.mark.parametrize("reads_ahead", [False, True], ids=["", "read_ahead"])
def test_every_piece_may_end_in_the_middle_of_an_update(
    client_context: Any, server_context: Any, reads_ahead: bool
) -> None:
    client_context.read_ahead = server_context.read_ahead = reads_ahead
    with Relay(byte_by_byte) as relay:
        options = {"do_handshake_on_connect": False}
        client = client_context.wrap_socket(relay.client, server_hostname=HOST, **options)
        server = server_context.wrap_socket(relay.server, server_side=True, **options)
        with client, server:
            handshake(client, server)
            for sender, receiver in ((client, server), (server, client)) * 2:
                sender.key_update(request_peer=True)
                sending = Task(send_all, sender, b"hello")
                assert receive_exactly(receiver, 5) == b"hello"
                sending.result()


def test_in_either_layer_of_tls_in_tls(certificates: Certificates, client_context: Any, server_context: Any) -> None:
    outer = certificates.client_context(TLS13), certificates.server_context(TLS13)
    outer[0].key_update_after = outer[1].key_update_after = 2
    updates = Updates(outer[0])
    with tls_sockets(client_context, server_context, transport=tls_transport(*outer)) as (client, server):
        for sender, receiver in ((client, server), (server, client)) * 4:
            sender.key_update(request_peer=True)
            sender.sendall(b"hello")
            assert receive_exactly(receiver, 5) == b"hello"
    assert updates.write > 2
    assert updates.read > 2


def test_it_waits_behind_what_the_kernel_has_not_accepted(client_context: Any, server_context: Any) -> None:
    """And what was sent in part is still sent on by the same bytes only."""
    with tls_sockets(client_context, server_context, mode=NON_BLOCKING) as (client, server):
        data = os.urandom(RECORD)
        sent = 0
        with contextlib.suppress(standard.SSLWantWriteError):
            while True:
                sent += client.send(data)
        client.key_update()
        client.key_update(request_peer=True)
        with pytest.raises(standard.SSLError, match="BAD_WRITE_RETRY"):
            client.send(b"other bytes")
        reading = Task(receive_exactly, server, sent + RECORD)
        send_all(client, data)
        arrived = reading.result()
        assert arrived[-RECORD:] == data
        assert len(arrived) == sent + RECORD


def test_a_transport_sends_none_to_the_next_file_with_its_number(certificates: Certificates) -> None:
    import asyncio

    from wiretight import asyncio as native

    async def main() -> None:
        near, far = tcp_pair()
        near.setblocking(False)
        far.setblocking(False)
        ends = await asyncio.gather(
            native.create_connection(
                asyncio.Protocol, sock=near, ssl=certificates.client_context(TLS13), server_hostname=HOST
            ),
            native.connect_accepted_socket(asyncio.Protocol, far, ssl=certificates.server_context(TLS13)),
        )
        number = near.fileno()
        near.close()
        ours, other = socket.socketpair()
        with ours, other:
            assert number in (ours.fileno(), other.fileno())
            for end in (ends[0][0], ends[0][0].get_extra_info("ssl_object")):
                with pytest.raises(OSError, match="descriptor"):
                    end.key_update()
            for sock in (ours, other):
                with pytest.raises(BlockingIOError):
                    sock.recv(100, socket.MSG_DONTWAIT)
            for transport, _ in ends:
                transport.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(main())


def test_asyncio_and_its_layers_have_it(certificates: Certificates) -> None:
    import asyncio

    from wiretight import asyncio as native

    async def main() -> None:
        contexts = certificates.client_context(TLS13), certificates.server_context(TLS13)
        updates = Updates(contexts[0])

        async def answer(reader: Any, writer: Any) -> None:
            while data := await reader.read(100):
                writer.transport.key_update(request_peer=True)
                writer.write(data)
            writer.close()

        server = await native.start_server(answer, ADDRESS, 0, ssl=contexts[1])
        address = server.sockets[0].getsockname()[:2]
        reader, writer = await native.open_connection(*address, ssl=contexts[0], server_hostname=HOST)
        for _ in range(3):
            writer.transport.key_update()
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
        writer.get_extra_info("ssl_object").key_update()
        assert updates.write >= 4
        assert updates.read == 3
        writer.close()
        await writer.wait_closed()
        with pytest.raises(ValueError, match="needs an open connection"):
            writer.transport.key_update()
        server.close()
        await server.wait_closed()

    asyncio.run(main())


# --- By count ---------------------------------------------------------------------------------------------------------


def test_it_comes_after_exactly_so_many_records(client_context: Any, server_context: Any) -> None:
    client_context.key_update_after = 5
    ours = Updates(client_context)
    pair = Pair(client_context, server_context)
    pair.handshake()
    for records, updates in ((5, 0), (1, 1), (4, 1), (1, 2), (5, 3)):
        for _ in range(records):
            assert pair.transfer(b"x", pair.client) == b"x"
        assert ours.write == updates
    assert pair.transfer(bytes(10 * RECORD), pair.client) == bytes(10 * RECORD)
    assert ours.write == 5
    assert ours.read == 0


def test_on_sockets_too_and_for_one_record(client_context: Any, server_context: Any, mode: Any) -> None:
    client_context.key_update_after = server_context.key_update_after = 1
    ours = Updates(client_context)
    data = os.urandom(RECORD * 9 + 1)
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        for sender, receiver in ((client, server), (server, client)):
            sending = Task(send_all, sender, data)
            assert receive_exactly(receiver, len(data)) == data
            sending.result()
    assert ours.write >= 9
    assert ours.read >= 9


def test_the_context_that_a_server_chooses_decides(certificates: Certificates, client_context: Any) -> None:
    listening, chosen = certificates.server_context(TLS13), certificates.server_context(TLS13)
    chosen.key_update_after = 1
    updates = Updates(chosen)
    listening.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    pair = Pair(client_context, listening)
    pair.handshake()
    for _ in range(3):
        assert pair.transfer(b"x", pair.server) == b"x"
    assert updates.write == 2


def test_tls_1_2_goes_on_as_it_is(certificates: Certificates) -> None:
    client, server = certificates.client_context(TLS12), certificates.server_context(TLS12)
    client.key_update_after = 1
    pair = Pair(client, server)
    pair.handshake()
    for _ in range(3):
        assert pair.transfer(b"x", pair.client) == b"x"


@pytest.mark.parametrize("records", [0, -1, 1 << 63])
def test_a_number_that_cannot_be_is_refused(client_context: Any, records: int) -> None:
    client_context.key_update_after = 7
    with pytest.raises(ValueError, match="at least 1 record"):
        client_context.key_update_after = records
    assert client_context.key_update_after == 7
    client_context.key_update_after = None
    assert client_context.key_update_after is None


# --- What it refuses --------------------------------------------------------------------------------------------------


def test_tls_1_2_has_none(certificates: Certificates) -> None:
    pair = Pair(certificates.client_context(TLS12), certificates.server_context(TLS12))
    pair.handshake()
    with pytest.raises(ValueError, match=r"needs TLS 1\.3, and this connection is TLSv1\.2"):
        pair.client.key_update()
    assert pair.transfer(b"still there", pair.client) == b"still there"


def test_nor_has_a_connection_before_its_handshake_or_after_its_end(client_context: Any, server_context: Any) -> None:
    pair = Pair(client_context, server_context)
    with pytest.raises(ValueError, match="finished handshake"):
        pair.client.key_update()
    attempt(pair.client.do_handshake)
    with pytest.raises(ValueError, match="finished handshake"):
        pair.client.key_update()
    pair.handshake()
    pair.client.close_notify()
    with pytest.raises(standard.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
        pair.client.key_update()
    with client_context.wrap_socket(tls.socket(), server_hostname=HOST) as unconnected:
        with pytest.raises(ValueError, match="No SSL wrapper"):
            unconnected.key_update()


def test_a_callback_cannot(client_context: Any, server_context: Any) -> None:
    armed: list[bool] = []

    def update(connection: Any, *_: object) -> None:
        if armed:
            armed.clear()
            connection.key_update()

    client_context.message_callback = update
    pair = Pair(client_context, server_context)
    pair.handshake()
    armed.append(True)
    with pytest.raises(ValueError, match="return first"):
        pair.transfer(b"data", pair.server)
    assert pair.read_all(pair.client) == b"data"
    assert pair.transfer(b"still there", pair.client) == b"still there"


def test_what_a_callback_raises_amid_it_is_raised(client_context: Any, server_context: Any) -> None:
    def refuse(_: Any, __: str, ___: int, ____: int, message: int, _____: bytes) -> None:
        if message == KEY_UPDATE:
            raise KeyError("from the callback")

    client_context.message_callback = refuse
    pair = Pair(client_context, server_context)
    pair.handshake()
    with pytest.raises(KeyError, match="from the callback"):
        pair.client.key_update()
    assert pair.transfer(b"still there", pair.client) == b"still there"


def test_a_broken_connection_says_what_a_send_would(client_context: Any, server_context: Any) -> None:
    with Peer(client_context, server_context) as peer:
        peer.deliver(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(standard.SSLError):
            peer.sock.recv(1)
        with pytest.raises(standard.SSLError):
            peer.sock.send(b"x")
        with pytest.raises(standard.SSLError):
            peer.sock.key_update()


# --- Other implementations --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def echoing(context: Any) -> Iterator[Server]:
    with Server(context, echo, ragged_eof_ok=True) as server:
        yield server


@pytest.mark.parametrize("key", ["k", "K"])
def test_openssls_client_updates_and_asks(
    certificates: Certificates, server_context: Any, key: str, version: Any
) -> None:
    updates = Updates(server_context)
    server_context.key_update_after = 2
    with echoing(server_context) as server:
        with OpenSSLClient(server.address[1], certificates.ca_file, version) as client:
            client.line_with("Verify return code: 0")
            for number in range(4):
                client.say(f"{key}\n".encode())
                client.line_with("KEYUPDATE", number + 1)
                client.say(f"line {number}\n".encode())
                assert client.says(f"line {number}\n".encode())
            client.end_of_input()
    assert updates.read == 4
    assert updates.write >= (4 if key == "K" else 1)


def test_openssls_server_is_asked(certificates: Certificates, client_context: Any, version: Any) -> None:
    updates = Updates(client_context)
    with OpenSSLServer(certificates.server, version, "-rev") as server:
        with connect(client_context, server.address) as client:
            for number in range(3):
                client.key_update(request_peer=True)
                client.sendall(b"desserts\n")
                assert receive_exactly(client, 9) == b"stressed\n"
                assert updates.read == number + 1


def test_gnutls_is_asked_and_asks(certificates: Certificates, server_context: Any) -> None:
    gnutls = program("gnutls-cli", "gnutls-bin")
    updates = Updates(server_context)
    server_context.key_update_after = 2
    with echoing(server_context) as server:
        options: list[Any] = ["--port", server.address[1], "--x509cafile", certificates.ca_file, "--inline-commands"]
        options += ["--sni-hostname", HOST, "--verify-hostname", HOST]
        with Process(gnutls, *options, ADDRESS) as client:
            client.line_with("Handshake was completed")
            for number in range(3):
                client.say(b"^rekey^\n")
                client.line_with("Rekey was completed", number + 1)
                client.say(f"line {number}\n".encode())
                assert client.says(f"line {number}\n".encode())
            client.end_of_input()
    assert updates.read == 3
    assert updates.write >= 1
