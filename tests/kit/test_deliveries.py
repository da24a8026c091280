import fcntl
import select
import socket
import struct
import termios

from tests.kit.deliveries import Relay, byte_by_byte, deliver, record_by_record, unread_by_peer, wait_until_taken, whole
from tests.kit.threads import Task

TWO_RECORDS = bytes([22, 3, 3, 0, 2]) + b"ab" + bytes([23, 3, 3, 0, 1]) + b"c"


def pieces(receiver: socket.socket, number: int) -> list[bytes]:
    """So many, each as it lies there: a recv() for more can take the next as well, which is sent while it copies."""
    received = []
    for _ in range(number):
        select.select([receiver], [], [])
        (there,) = struct.unpack("i", fcntl.ioctl(receiver, termios.FIONREAD, bytes(4)))
        received.append(receiver.recv(there))
    return received


def test_pieces():
    assert list(whole(TWO_RECORDS)) == [TWO_RECORDS]
    assert list(byte_by_byte(b"abc")) == [b"a", b"b", b"c"]
    assert list(record_by_record(TWO_RECORDS)) == [TWO_RECORDS[:7], TWO_RECORDS[7:]]


def test_every_delivery_is_complete(delivery):
    assert b"".join(delivery(TWO_RECORDS)) == TWO_RECORDS
    assert list(delivery(b"")) == []


def test_a_receiver_gets_the_pieces_as_they_were_sent(delivery):
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sending = Task(deliver, sender, TWO_RECORDS, delivery)
        assert pieces(receiver, len(list(delivery(TWO_RECORDS)))) == list(delivery(TWO_RECORDS))
        sending.result()


def test_a_sender_knows_whether_everything_was_received():
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.send(b"ab")
        receiver.recv(1)
        assert unread_by_peer(sender)
        receiver.recv(1)
        assert not unread_by_peer(sender)


def test_waiting_ends_when_the_receiver_closes():
    sender, receiver = socket.socketpair()
    with sender:
        sender.sendall(b"never read")
        waiting = Task(wait_until_taken, sender)
        receiver.close()
        waiting.result()


def test_a_relay_forwards_both_directions_in_pieces(delivery):
    with Relay(delivery) as relay:
        for near, far in ((relay.client, relay.server), (relay.server, relay.client)):
            near.sendall(TWO_RECORDS)
            assert pieces(far, len(list(delivery(TWO_RECORDS)))) == list(delivery(TWO_RECORDS))


def test_a_relay_keeps_a_record_until_it_is_complete():
    with Relay(record_by_record) as relay:
        relay.client.sendall(TWO_RECORDS[:3])
        relay.client.sendall(TWO_RECORDS[3:])
        assert relay.server.recv(100) == TWO_RECORDS[:7]


def test_a_relay_forwards_the_end_of_the_stream_after_a_partial_record(delivery):
    with Relay(delivery) as relay:
        relay.client.sendall(TWO_RECORDS[:3])
        relay.client.shutdown(socket.SHUT_WR)
        with relay.server.makefile("rb") as arrived:
            assert arrived.read() == TWO_RECORDS[:3]
        relay.server.sendall(TWO_RECORDS)
        assert relay.client.recv(1)


def test_a_relay_can_be_closed_with_undelivered_bytes(delivery):
    with Relay(delivery) as relay:
        relay.client.sendall(TWO_RECORDS)
