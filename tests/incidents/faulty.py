"""A connection whose system calls, or whose allocations, fail: `python tests/incidents/faulty.py KIND …`.

Runs with tests/incidents/faults.c preloaded, in a process of its own, for a fault that is met badly ends that. The
faults are for wiretight alone: its peer is the standard library. What was tried and how it ended goes to standard
output as JSON; a guarantee that does not hold is an error, and the exit status.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
from pathlib import Path

faults = ctypes.CDLL(None)


def core_library() -> Path:
    """Found without importing the package: OpenSSL must hear of its allocator before it makes its first allocation."""
    spec = importlib.util.find_spec("wiretight")
    assert spec is not None
    assert spec.submodule_search_locations
    (found,) = Path(spec.submodule_search_locations[0], "_core").glob("_native*.so")
    return found


KIND = sys.argv[1]
NO_OPENSSL = 77  # exit status: this build's OpenSSL is inside the core, where no allocator can be put under it
if KIND == "openssl":
    core = ctypes.CDLL(str(core_library()))
    if not hasattr(core, "CRYPTO_set_mem_functions"):
        sys.exit(NO_OPENSSL)
    assert core.CRYPTO_set_mem_functions(
        faults.faults_openssl_malloc, faults.faults_openssl_realloc, faults.faults_openssl_free
    )

import contextlib  # noqa: E402
import faulthandler  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
import ssl as standard  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from typing import Any  # noqa: E402

import wiretight  # noqa: E402
from tests.kit.certificates import HOST  # noqa: E402
from tests.kit.sockets import tcp_pair, unix_pair  # noqa: E402
from tests.kit.threads import PATIENCE, Task  # noqa: E402

# What may come out of a call that meets a fault.
EXPECTED = (OSError, MemoryError)  # SSLError and TimeoutError are OSErrors

# Lengths of messages: less than a record, one record, several, more than a batch.
SIZES = (1, 1000, 16384, 40_000, 100_000)
DATA = bytes(range(251)) * (max(SIZES) // 251 + 1)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def scope_the_core() -> None:
    ranges = [
        [int(number, 16) for number in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(core_library().name)
    ]
    faults.faults_scope(ctypes.c_size_t(min(ranges)[0]), ctypes.c_size_t(max(ranges)[1]))


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


# --- System calls that fail ------------------------------------------------------------------------------------------


class EchoPeer:
    """The standard library at the other end, in a thread: echoes each message, and keeps what it has received."""

    def __init__(self, case: Case, context: Any, plain: socket.socket) -> None:
        self.received = bytearray()
        plain.settimeout(PATIENCE / 3)  # a reset does not always wake it
        name = {"server_hostname": HOST} if case.server_side else {}
        self.sock = context.wrap_socket(
            plain, server_side=not case.server_side, do_handshake_on_connect=False, suppress_ragged_eofs=False, **name
        )
        self.task = Task(self.run)

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError), self.sock:
            self.sock.do_handshake()
            for size in SIZES:
                message = bytearray()
                while len(message) < size and (data := self.sock.recv(size - len(message))):
                    message += data
                    self.received += data
                self.sock.sendall(message)
            self.sock.unwrap()


class Talk:
    """One scripted conversation of wiretight with an EchoPeer, over sockets that wait; what was said and heard."""

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
        faults.faults_calls_made.restype = ctypes.c_long
        conversation.calls = faults.faults_calls_made()  # type: ignore[attr-defined]
        faults.faults_calls(ctypes.c_size_t(0), 0, 0, 1)
        conversation.sock.close()
        conversation.peer.task.result()
    conversation.check()
    return conversation, outcome


def calls(case: Case, most: int, eintr: int, eagain: int, count: int) -> Counter[str]:
    """Short calls, interrupted calls, calls that say "later" though there is something: all end well."""
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


# --- Allocations that fail -------------------------------------------------------------------------------------------


class Steps:
    """The same conversation in one thread, so that the faults can be for the calls of one side.

    `under` calls an operation of the core's with the fault armed; where it raises, the operation is tried again, as a
    program might, without fault. Either that goes on rightly, or it is refused.
    """

    def __init__(self, case: Case, theirs: Any, under: Callable[..., Any], ours: Any = None) -> None:
        self.case = case
        self.under = under
        self.ours = ours
        self.faults: list[BaseException] = []
        self.stack = contextlib.ExitStack()
        self.near, self.far = case.transport()
        for sock in (self.near, self.far):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)  # full soon, so that records stay behind
            self.stack.callback(sock.close)
        self.incoming, self.outgoing = standard.MemoryBIO(), standard.MemoryBIO()
        name = {"server_hostname": HOST} if case.server_side else {}
        self.peer = theirs.wrap_bio(self.incoming, self.outgoing, server_side=not case.server_side, **name)
        self.peer_error: OSError | None = None
        self.in_flight = bytearray()
        self.peer_heard = bytearray()
        self.said = bytearray()
        self.heard = bytearray()
        self.sock: Any = None

    def shuttle(self) -> bool:
        """Carries what is in flight; False when nothing was."""
        moved = False
        with contextlib.suppress(BlockingIOError):
            data = self.far.recv(1 << 20)
            self.incoming.write(data) if data else self.incoming.write_eof()
            moved = bool(data)
        self.in_flight += self.outgoing.read()
        with contextlib.suppress(BlockingIOError):
            while self.in_flight:
                del self.in_flight[: self.far.send(self.in_flight)]
                moved = True
        return moved

    def peer_step(self, operation: Callable[..., Any], *args: Any) -> Any:
        try:
            return operation(*args)
        except standard.SSLWantReadError:
            return None
        except OSError as error:
            self.peer_error = error
            return b""

    def listen(self) -> None:
        """The peer reads all that has come, and echoes it."""
        while data := self.peer_step(self.peer.read, 65536):
            self.peer_heard += data
            self.peer_step(self.peer.write, data)

    def tried(self, operation: Callable[..., Any], *args: Any) -> Any:
        try:
            return self.under(operation, *args)
        except (standard.SSLWantReadError, standard.SSLWantWriteError, standard.SSLCertVerificationError):
            raise
        except EXPECTED as error:
            self.faults.append(error)
            return operation(*args)

    def driven(self, operation: Callable[..., Any], *args: Any, peer: Callable[[], Any]) -> Any:
        idle = 0
        while True:
            try:
                return self.tried(operation, *args)
            except (standard.SSLWantReadError, standard.SSLWantWriteError):
                moved = self.shuttle()
                peer()
                moved = self.shuttle() or moved
                idle = 0 if moved else idle + 1
                if idle > 3:
                    raise TimeoutError("nothing moves any more") from self.peer_error

    def run(self) -> None:
        if self.ours is None:
            ours = self.tried(self.case.context, wiretight, self.case.server_side)
            self.sock = self.stack.enter_context(self.tried(self.case.wrapped, ours, self.near))
        else:
            self.sock = self.stack.enter_context(self.case.wrapped(self.ours, self.near))
        core = self.sock._sslobj
        self.driven(core.do_handshake, peer=lambda: self.peer_step(self.peer.do_handshake))
        self.shuttle()
        self.peer_step(self.peer.do_handshake)
        self.tried(core.getpeercert)
        for size in SIZES:
            self.send(DATA[:size])
            while len(self.heard) < len(self.said):
                data = self.driven(core.read, 50_000, peer=self.listen)
                if not data and self.faults:
                    raise self.faults[-1]  # after a fatal alert OpenSSL answers further reads like that
                assert data, "the end was reported, and the peer had not said so"
                self.heard += data
        self.driven(core.shutdown, peer=lambda: self.peer_step(self.peer.unwrap))

    def send(self, data: bytes) -> None:
        self.said += data
        while data:
            data = data[self.driven(self.sock._sslobj.write, data, peer=self.listen) :]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            while self.shuttle():
                self.listen()
        self.stack.close()

    def check(self) -> None:
        assert self.said.startswith(self.heard), f"a wrong byte was received after {self.faults}"
        assert self.said.startswith(self.peer_heard), f"a wrong byte was sent after {self.faults}"


def armed_allocation(at: int, width: int, counter: list[int]) -> Callable[..., Any]:
    """Calls an operation with the allocation number `at` of the whole conversation failing, counted in `counter`."""

    def under(operation: Callable[..., Any], *args: Any) -> Any:
        faults.faults_allocations(
            ctypes.c_long(max(at - counter[0], 0) if at + width > counter[0] else -1),
            ctypes.c_long(max(at + width - counter[0], 0)),
        )
        try:
            return operation(*args)
        finally:
            counter[0] += faults.faults_allocations_made()
            faults.faults_allocations(ctypes.c_long(-1), ctypes.c_long(0))

    return under


def allocations(case: Case, limit: int, width: int = 1) -> Counter[str]:
    """The first allocation fails, the second, …: each conversation goes on rightly or is refused."""
    faults.faults_allocations_made.restype = ctypes.c_long
    theirs = case.context(standard, not case.server_side)
    outcomes: Counter[str] = Counter()

    def attempt(at: int) -> int:
        counter = [0]
        steps = Steps(case, theirs, armed_allocation(at, width, counter))
        try:
            steps.run()
            outcome = "completed after an error" if steps.faults else "completed"
        except EXPECTED as error:
            outcome = type(error).__name__
        finally:
            steps.close()
        try:
            steps.check()
            assert outcome != "TimeoutError", "nothing moves any more, and nobody says why"
            assert at >= 0 or outcome == ("completed" if case.trusted else "SSLCertVerificationError"), outcome
            assert case.trusted or not outcome.startswith("completed"), "an unverified peer was accepted"
            assert case.trusted or not steps.peer_heard, "an unverified peer was told something"
        except AssertionError as error:
            raise AssertionError(f"allocation {at}: {error}") from error
        if at >= 0:
            outcomes[outcome] += 1
        return counter[0]

    # A new thread each, which has no buffers yet. What OpenSSL keeps from its first connection is there after that.
    Task(attempt, -1).result()
    for at in positions(Task(attempt, -1).result(), limit):
        print(at, file=sys.stderr, end=" ", flush=True)
        Task(attempt, at).result()
    return outcomes


class OneCall:
    """Calls operations, and makes one allocation of the interpreter fail inside call number `wanted`."""

    def __init__(self, wanted: int, at: int) -> None:
        self.wanted = wanted
        self.at = at
        self.calls = 0
        self.met = False

    def __call__(self, operation: Callable[..., Any], *args: Any) -> Any:
        import _testcapi

        self.calls += 1
        if self.calls != self.wanted:
            return operation(*args)
        _testcapi.set_nomemory(self.at, self.at + 1)
        try:
            return operation(*args)
        except BaseException as error:
            self.met = isinstance(error, MemoryError)
            raise
        finally:
            _testcapi.remove_mem_hooks()


def python(case: Case, limit: int) -> Counter[str]:
    """The same for the interpreter's allocations: in every call of the conversation, each of the first `limit`."""
    ours, theirs = case.context(wiretight, case.server_side), case.context(standard, not case.server_side)
    outcomes: Counter[str] = Counter()

    def attempt(wanted: int, at: int) -> OneCall:
        under = OneCall(wanted, at)
        steps = Steps(case, theirs, under, ours)
        try:
            steps.run()
            outcome = "completed after an error" if steps.faults else "completed"
        except EXPECTED as error:
            outcome = type(error).__name__
        finally:
            steps.close()
        try:
            steps.check()
        except AssertionError as error:
            raise AssertionError(f"allocation {at} of call {wanted}: {error}") from error
        outcomes[outcome] += under.met
        return under

    wanted, calls = 1, 1
    while wanted <= calls:
        for at in range(limit):
            print(f"{wanted}.{at}", file=sys.stderr, end=" ", flush=True)
            calls = attempt(wanted, at).calls
        wanted += 1
    return +outcomes


def main() -> None:
    faulthandler.enable()
    faulthandler.dump_traceback_later(float(os.environ.get("FAULTY_PATIENCE", "600")), exit=True)
    scope_the_core()
    case = Case(*sys.argv[2:6], trusted=sys.argv[6] == "trusted")
    numbers = sys.argv[7:]
    descriptors = open_descriptors()
    if KIND == "calls":
        outcomes = calls(case, *map(int, numbers))
    elif KIND == "cut":
        outcomes = cut(case, numbers[0], int(numbers[1]))
    elif KIND == "python":
        outcomes = python(case, int(numbers[0]))
    else:
        outcomes = allocations(case, *map(int, numbers))
    assert open_descriptors() == descriptors, "a descriptor was left open"
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
