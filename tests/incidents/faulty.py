"""A connection whose system calls fail: `python tests/incidents/faulty.py KIND …`.

Runs with tests/incidents/faults.c preloaded, in a process of its own, for a fault that is met badly ends that. The
faults are for wiretight alone: its peer is the standard library. What was tried and how it ended goes to standard
output as JSON; a guarantee that does not hold is an error, and the exit status.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import socket
import ssl as standard
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from preloaded import faults, open_descriptors, scope_the_core

import wiretight
from tests.kit.certificates import HOST
from tests.kit.sockets import tcp_pair, unix_pair
from tests.kit.threads import PATIENCE, Task

# What may come out of a call that meets a fault.
EXPECTED = (OSError, MemoryError)  # SSLError and TimeoutError are OSErrors

# Lengths of messages: less than a record, one record, several, more than a batch.
SIZES = (1, 1000, 16384, 40_000, 100_000)
DATA = bytes(range(251)) * (max(SIZES) // 251 + 1)


class Case:
    """Which side wiretight has, in which version of TLS, with certificates from where."""

    def __init__(self, folder: str, version: str, side: str, transport: str = "tcp", *, trusted: bool = True) -> None:
        self.folder = Path(folder)
        self.version = standard.TLSVersion[version]
        self.server_side = side == "server"
        self.transport = tcp_pair if transport == "tcp" else unix_pair
        self.trusted = trusted

    def context(self, module: Any, server_side: bool) -> Any:
        """Both sides show a certificate and verify the other's."""
        context = module.SSLContext(module.PROTOCOL_TLS_SERVER if server_side else module.PROTOCOL_TLS_CLIENT)
        name = "server" if server_side else "client"
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        ours = module is wiretight
        wiretight.clear_trust_cache()  # what was decoded in another round takes no memory in this one
        context.load_verify_locations(self.folder / ("ca.pem" if self.trusted or not ours else "other_ca.pem"))
        context.verify_mode = module.CERT_REQUIRED
        context.minimum_version = context.maximum_version = self.version
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def wrapped(self, context: Any, plain: socket.socket) -> Any:
        name = {} if self.server_side else {"server_hostname": HOST}
        return context.wrap_socket(
            plain, server_side=self.server_side, do_handshake_on_connect=False, suppress_ragged_eofs=False, **name
        )


class EchoPeer:
    """The standard library at the other end, in a thread: echoes each message, and keeps what it has received."""

    def __init__(self, case: Case, context: Any, plain: socket.socket) -> None:
        self.received = bytearray()
        self.error: Exception | None = None
        plain.settimeout(PATIENCE / 3)  # a reset does not always wake it
        name = {"server_hostname": HOST} if case.server_side else {}
        self.sock = context.wrap_socket(
            plain, server_side=not case.server_side, do_handshake_on_connect=False, suppress_ragged_eofs=False, **name
        )
        self.task = Task(self.run)

    def run(self) -> None:
        try:
            with self.sock:
                self.sock.do_handshake()
                for size in SIZES:
                    message = bytearray()
                    while len(message) < size and (data := self.sock.recv(size - len(message))):
                        message += data
                        self.received += data
                    self.sock.sendall(message)
                self.sock.unwrap()
        except (OSError, ValueError) as error:
            self.error = error


class Talk:
    """One scripted conversation of wiretight with an EchoPeer, over blocking sockets; records both directions."""

    def __init__(self, case: Case, ours: Any, theirs: Any) -> None:
        near, far = case.transport()
        near.settimeout(PATIENCE)
        self.sock = case.wrapped(ours, near)
        self.peer_number = far.fileno()
        self.peer = EchoPeer(case, theirs, far)
        self.said = bytearray()
        self.heard = bytearray()
        self.finished = False

    def run(self) -> None:
        self.sock.do_handshake()
        for size in SIZES:
            self.said += DATA[:size]
            self.sock.sendall(DATA[:size])
            while len(self.heard) < len(self.said):
                data = self.sock.recv(50_000)
                assert data, "the end was reported, and the peer had not said so"
                self.heard += data
        self.sock.unwrap()
        self.finished = True

    def check(self) -> None:
        assert self.said.startswith(self.heard), "a wrong byte was received"
        assert self.said.startswith(self.peer.received), "a wrong byte was sent"


def talk(case: Case, ours: Any, theirs: Any, *arm: Callable[[Talk], None]) -> tuple[Talk, str]:
    """A conversation under faults, and how it ended."""
    conversation = Talk(case, ours, theirs)
    for prepare in arm:
        prepare(conversation)
    outcome = "completed"
    try:
        conversation.run()
    except TimeoutError as error:
        raise AssertionError("the call did not notice, and waited") from error
    except EXPECTED as error:
        outcome = type(error).__name__
    finally:
        conversation.calls = faults.faults_calls_made()  # type: ignore[attr-defined]
        faults.faults_calls(ctypes.c_size_t(0), 0, 0, 1)
        conversation.sock.close()
        conversation.peer.task.result()
    conversation.check()
    return conversation, outcome


def calls(case: Case, most: int, eintr: int, eagain: int, count: int) -> Counter[str]:
    """Short calls, interrupted calls, spurious EAGAIN: all end well."""
    ours, theirs = case.context(wiretight, case.server_side), case.context(standard, not case.server_side)
    outcomes: Counter[str] = Counter()
    for seed in range(1, count + 1):

        def arm(_: Talk, seed: int = seed) -> None:
            faults.faults_calls(ctypes.c_size_t(most), eintr, eagain, seed)

        conversation, outcome = talk(case, ours, theirs, arm)
        assert conversation.finished, f"seed {seed}: {outcome}"
        outcomes[outcome] += 1
    return outcomes


def cut(case: Case, how: str, limit: int) -> Counter[str]:
    """The peer ends the connection (FIN, RST) before the first system call, the second, …"""
    ours, theirs = case.context(wiretight, case.server_side), case.context(standard, not case.server_side)
    quiet, _ = talk(case, ours, theirs, lambda _: faults.faults_calls(ctypes.c_size_t(0), 0, 0, 1))
    outcomes: Counter[str] = Counter()
    for at in positions(quiet.calls, limit):  # type: ignore[attr-defined]

        def arm(conversation: Talk, at: int = at) -> None:
            faults.faults_calls(ctypes.c_size_t(0), 0, 0, 1)
            faults.faults_cut(conversation.peer_number, ctypes.c_long(at), 0 if how == "fin" else 1)

        outcomes[talk(case, ours, theirs, arm)[1]] += 1
    return outcomes


def positions(total: int, limit: int) -> Iterator[int]:
    """All of range(total), or `limit` of them, evenly spread."""
    return iter(range(total)) if total <= limit else iter(sorted({i * total // limit for i in range(limit)}))


def reported(outcomes_of: Callable[[], Counter[str]], *, the_core: bool = True) -> None:
    """Prints what `outcomes_of` counted, with faults for `the_core`; every thread's stack if it hangs."""
    faulthandler.enable()
    faulthandler.dump_traceback_later(float(os.environ.get("FAULTY_PATIENCE", "3600")), exit=True)
    if the_core:
        scope_the_core()
    descriptors = open_descriptors()
    outcomes = outcomes_of()
    gc.collect()  # errors, with the frames that they were raised in
    assert open_descriptors() == descriptors, "a descriptor was left open"
    print(json.dumps(outcomes))


def main() -> None:
    kind, *case = sys.argv[1:6]
    if kind == "calls":
        reported(lambda: calls(Case(*case), *map(int, sys.argv[6:])))
    else:
        reported(lambda: cut(Case(*case), sys.argv[6], int(sys.argv[7])))


if __name__ == "__main__":
    main()
