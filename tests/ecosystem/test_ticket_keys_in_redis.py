"""Ticket keys in a real Redis, for eight processes whose clocks differ: each resumes what another began."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.programs import Process, program
from tests.kit.sockets import free_port
from tests.kit.subject import tls
from tests.kit.threads import Task

SERVER = Path(__file__).parent / "programs" / "ticket_server.py"
COUNT = 8
SKEWS = [30 - 60 * i / (COUNT - 1) for i in range(COUNT)]  # from half a minute ahead to half a minute behind
STEP = 30


@contextlib.contextmanager
def redis(port: int, folder: Path) -> Iterator[Process]:
    command = (program("redis-server", "redis-server"), "--bind", ADDRESS, "--port", port)
    with Process(*command, "--dir", folder, "--save", "", "--appendonly", "no") as process:
        process.line_with("Ready to accept connections")
        yield process


class Fleet:
    """The processes, and a client that goes from one to the next."""

    def __init__(self, processes: list[Process], client_context: Any) -> None:
        self.processes = processes
        self.context = client_context
        self.session: Any = None
        self.time = 0.0
        for process, skew in zip(processes, SKEWS, strict=True):
            process.say(b"clock %f\n" % skew)
        self.ports = [int(process.line_with("port ").split()[1]) for process in processes]
        self.answers: list[Counter[str]] = [Counter() for _ in processes]

    def order(self, number: int, line: str, answer: str) -> str:
        self.processes[number].say(line.encode() + b"\n")
        self.answers[number][answer] += 1
        return self.processes[number].line_with(answer, self.answers[number][answer])

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for number, skew in enumerate(SKEWS):
            self.order(number, f"clock {self.time + skew}", "done")

    def visit(self, port: int) -> bool:
        plain = socket.create_connection((ADDRESS, port))
        with self.context.wrap_socket(plain, server_hostname=HOST, session=self.session) as connection:
            connection.sendall(b"hello")
            assert connection.recv(5) == b"hello"
            self.session = connection.session
            return bool(connection.session_reused)

    def tour(self, steps: int) -> list[bool]:
        """For each connection, whether it was resumed: one to each process in a step, of which another is first."""
        resumed = []
        for step in range(steps):
            self.advance(STEP)
            resumed += [self.visit(self.ports[(step + 3 * i) % COUNT]) for i in range(COUNT)]
        return resumed

    def keys(self) -> list[list[str]]:
        return [self.order(number, "keys", "keys").split()[1:] for number in range(COUNT)]


@pytest.fixture
def fleet(certificates: Certificates, version: Any, tmp_path: Path) -> Iterator[tuple[Fleet, Any]]:
    pytest.importorskip("redis", reason="pip install --group ecosystem")
    port = free_port()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(contextlib.ExitStack())
        server.enter_context(redis(port, tmp_path))
        arguments = (sys.executable, SERVER, *certificates.server, port, tls.TLSVersion(version).name)
        processes = [stack.enter_context(Process(*arguments)) for _ in range(COUNT)]

        @contextlib.contextmanager
        def gone() -> Iterator[None]:
            server.close()
            yield
            server.enter_context(redis(port, tmp_path))

        yield Fleet(processes, certificates.client_context(version)), gone


def test_all_processes_resume_through_rotations_and_the_death_of_redis(fleet: tuple[Fleet, Any]) -> None:
    processes, redis_is_gone = fleet
    assert processes.tour(1) == [False] + [True] * (COUNT - 1)
    assert all(processes.tour(44))  # 22 minutes, until all know the third new key
    with redis_is_gone():
        assert all(processes.tour(4))
    assert all(processes.tour(40))
    assert all("unraisable ConnectionError" in process.output for process in processes.processes)
    # There is a new key each 6 minutes: who looked before knows it a look later. One that has expired is dropped by the
    # clock that is furthest behind a minute after the one that is furthest ahead.
    for _ in range(8):
        known = processes.keys()
        if known == [known[0]] * COUNT:
            break
        assert all(processes.tour(1))
    assert known == [known[0]] * COUNT
    assert 4 <= len(known[0]) <= 6


def test_twenty_writers_lose_no_key(tmp_path: Path) -> None:
    client = pytest.importorskip("redis", reason="pip install --group ecosystem")
    port = free_port()
    with redis(port, tmp_path):
        rings = []
        for _ in range(20):
            connection = client.Redis(port=port, socket_timeout=5)
            rings.append(tls.TicketKeys.shared(tls.RedisTicketKeyStore(connection), bytes(32)))
        added = [task.result().name for task in [Task(ring.rotate) for ring in rings]]
        stored = {key.name for key in tls.TicketKeys.shared(tls.RedisTicketKeyStore(connection), bytes(32)).keys}
        assert len(set(added)) == 20
        assert set(added) < stored
        assert len(stored) == 21


def test_a_look_of_a_ring_is_one_get_and_writes_nothing() -> None:
    pytest.importorskip("redis", reason="pip install --group ecosystem")
    program("redis-server", "redis-server")
    traffic = Path(__file__).parents[2] / "examples" / "fleet" / "traffic.py"
    done = subprocess.run(
        [sys.executable, traffic, "2", "0.6"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if "accept_for" in line] == [
        "accept_for=7200: 2 keys, a value of 348 bytes",
        "accept_for=604800: 16 keys, a value of 2,308 bytes",
    ]
    looks = [re.fullmatch(r"  (\d+) looks in 0\.6 s, 0 of them wrote", line) for line in (lines[1], lines[5])]
    assert all(look is not None and int(look[1]) >= 2 for look in looks)
