"""No plaintext on the wire, no ciphertext in the program's hands: whatever is called, in whatever order.

A machine of hypothesis' calls two SSLSockets; between them lies a tap that sees every byte which leaves either.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl as standard
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.incidents.references import reference
from tests.kit.certificates import HOST

pytestmark = [reference("python/cpython#124618", "CVE-2023-40217"), pytest.mark.timeout(7200)]

CLIENT, SERVER = 0, 1
sides = st.sampled_from([CLIENT, SERVER])
sizes = st.sampled_from([1, 16, 100, 5000, 40_000])


class Side:
    """One SSLSocket, and what is known of it."""

    def __init__(self, sock: Any, tap: socket.socket, letter: bytes) -> None:
        self.sock: Any = sock
        self.tap = tap
        self.letter = letter
        self.unwrapped = False  # unwrap() has returned: from here on everything is in the clear
        self.gone = False  # closed or detached
        self.retry = b""  # what a want has to be answered with
        self.sent = bytearray()  # through TLS
        self.said = bytearray()  # in the clear, after unwrap()
        self.received = bytearray()
        self.heard = bytearray()
        self.number = 0
        self.on_the_wire = bytearray()

    def part(self, size: int) -> bytes:
        """Application bytes that no ciphertext has by accident."""
        self.number += 1
        line = b"<%s plaintext %08d>" % (self.letter, self.number)
        return (line * (size // len(line) + 1))[: max(size, len(line))]

    def has(self, data: bytes) -> None:
        (self.heard if self.unwrapped else self.received).extend(data)


class Machine(RuleBasedStateMachine):
    def __init__(self, client_context: Any, server_context: Any) -> None:
        super().__init__()
        ends = [socket.socketpair() for _ in range(2)]
        for end in (*ends[CLIENT], *ends[SERVER]):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 30_000)
        options = {"do_handshake_on_connect": False, "suppress_ragged_eofs": False}
        client = client_context.wrap_socket(ends[CLIENT][0], server_hostname=HOST, **options)
        server = server_context.wrap_socket(ends[SERVER][0], server_side=True, **options)
        self.sides = [Side(client, ends[CLIENT][1], b"client"), Side(server, ends[SERVER][1], b"server")]
        self.in_flight: list[bytearray] = [bytearray(), bytearray()]
        unfinished = [client, server]
        while unfinished:
            unfinished = [sock for sock in unfinished if not self.done(sock.do_handshake)]
            self.carry(CLIENT)
            self.carry(SERVER)

    def done(self, operation: Any) -> bool:
        try:
            operation()
        except standard.SSLWantReadError:
            return False
        return True

    @contextlib.contextmanager
    def allowed(self) -> Any:
        with contextlib.suppress(OSError, ValueError):
            yield

    # --- What a program may call --------------------------------------------------------------------------------------

    @rule(which=sides, size=sizes, whole=st.booleans())
    def send(self, which: int, size: int, whole: bool) -> None:
        side = self.sides[which]
        if side.gone:
            return
        data = side.retry or side.part(size)
        with self.allowed():
            try:
                count = side.sock.send(data) if whole or side.unwrapped else side.sock.write(data)
            except standard.SSLWantWriteError:
                side.retry = data
                raise
            (side.said if side.unwrapped else side.sent).extend(data[:count])
            side.retry = b"" if side.unwrapped else data[count:]

    @rule(which=sides, size=sizes, into=st.booleans())
    def receive(self, which: int, size: int, into: bool) -> None:
        side = self.sides[which]
        if side.gone:
            return
        with self.allowed():
            if into:
                room = bytearray(size)
                side.has(room[: side.sock.recv_into(room)])
            else:
                side.has(side.sock.recv(size))

    @rule(which=sides, size=sizes)
    def read_a_file(self, which: int, size: int) -> None:
        side = self.sides[which]
        if not side.gone and not side.unwrapped:
            with self.allowed(), side.sock.makefile("rb", buffering=0) as file:
                side.has(file.read(size) or b"")

    @rule(which=sides)
    def shut_down_writing(self, which: int) -> None:
        with self.allowed():
            self.sides[which].sock.shutdown(socket.SHUT_WR)

    @rule(which=sides)
    def unwrap(self, which: int) -> None:
        side = self.sides[which]
        if not side.gone:
            with self.allowed():
                side.sock.unwrap()
                side.unwrapped = True
                side.retry = b""

    @rule(which=sides)
    def duplicate(self, which: int) -> None:
        with pytest.raises(NotImplementedError):
            self.sides[which].sock.dup()

    @rule(which=sides, how=st.sampled_from(["close", "detach"]), surely=st.integers(0, 3))
    def give_up(self, which: int, how: str, surely: int) -> None:
        side = self.sides[which]
        if surely == 0 and not side.gone:
            side.gone = True
            if how == "close":
                side.sock.close()
            else:
                socket.socket(fileno=side.sock.detach()).close()
            with self.allowed():
                side.sock.send(side.part(100))

    @rule(which=sides, most=st.sampled_from([1, 5, 1000, 1 << 20]))
    def carry(self, which: int, most: int = 1 << 20) -> None:
        """Forwards what `which` has sent to the other side; the tap records it."""
        side, other = self.sides[which], self.sides[1 - which]
        with contextlib.suppress(OSError):
            data = side.tap.recv(most)
            side.on_the_wire += data
            self.in_flight[which] += data
        with contextlib.suppress(OSError):
            while self.in_flight[which]:
                del self.in_flight[which][: other.tap.send(self.in_flight[which])]

    # --- What holds at all times --------------------------------------------------------------------------------------

    @invariant()
    def nothing_leaves_in_the_clear_before_unwrap_has_returned(self) -> None:
        for side in self.sides:
            if not side.said:
                assert b"plaintext" not in side.on_the_wire, "application data on the wire"

    @invariant()
    def what_is_read_is_what_was_sent(self) -> None:
        for side, other in zip(self.sides, reversed(self.sides), strict=True):
            promised = other.sent + other.retry
            assert promised.startswith(side.received), "what was read was not sent"
            assert other.said.startswith(side.heard), "what was read after unwrap() was not said in the clear"

    def teardown(self) -> None:
        for side in self.sides:
            side.sock.close()
            side.tap.close()


def test_every_byte_arrives_at_its_position(client_context, server_context, rounds):
    run_state_machine_as_test(
        functools.partial(Machine, client_context, server_context),
        settings=settings(
            max_examples=rounds(120, 5000), stateful_step_count=40, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
