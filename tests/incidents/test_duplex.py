"""Threads: four on one connection, a reader and a writer at each end, and every byte arrives in order."""

from __future__ import annotations

import os
import random
import socket
from typing import Any

import pytest

from tests.incidents.references import reference
from tests.kit.sockets import tls_sockets
from tests.kit.threads import Task

pytestmark = [reference("python/cpython#151508", "python/cpython#137583"), pytest.mark.timeout(7200)]

STREAM = os.urandom(1_048_573)  # sent again and again: a prime, so that no place in it falls on a record's end twice
TWICE = STREAM * 2
LARGEST = 200_000
MIB = 1 << 20
HOURS = 2 * 3600.0


def some_size(chance: random.Random) -> int:
    """As many small as large ones."""
    return int(LARGEST ** (0.5 + chance.random() / 2))


def write(sock: Any, total: int, seed: int) -> int:
    chance = random.Random(seed)
    sent = 0
    while sent < total:
        at = sent % len(STREAM)
        piece = TWICE[at : at + min(some_size(chance), total - sent)]
        if chance.random() < 0.5:
            sock.sendall(piece)
            sent += len(piece)
        else:
            sent += sock.send(piece)
    sock.shutdown(socket.SHUT_WR)
    return sent


def read(sock: Any, seed: int) -> int:
    chance = random.Random(seed)
    buffer = bytearray(LARGEST)
    received = 0
    while True:
        size = some_size(chance)
        data = sock.recv(size) if chance.random() < 0.5 else bytes(buffer[: sock.recv_into(buffer, size)])
        if not data:
            return received
        at = received % len(STREAM)
        assert data == TWICE[at : at + len(data)], f"wrong bytes after byte {received}"
        received += len(data)


def test_every_byte_arrives_in_order_in_both_directions(client_context: Any, server_context: Any, rounds: Any) -> None:
    """As many MiB as there are rounds, half of them in each direction."""
    total = rounds(256, 20 * 1024) * MIB // 2
    with tls_sockets(client_context, server_context) as (client, server):
        reading = [Task(read, server, 3), Task(read, client, 4)]
        writing = [Task(write, client, total, 1), Task(write, server, total, 2)]
        assert [task.result(HOURS) for task in writing] == [total, total]
        assert [task.result(HOURS) for task in reading] == [total, total]
