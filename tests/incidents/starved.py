"""A connection whose allocations fail: `python tests/incidents/starved.py KIND FOLDER VERSION SIDE WAY TRUSTED LIMIT`.

KIND: "openssl" for OpenSSL's allocations, "core" for the core's, with those of an OpenSSL inside it, "python" for the
interpreter's. Otherwise as tests/incidents/faulty.py, which has the system calls.
"""

from __future__ import annotations

import sys

from preloaded import allocations_made, faults, put_allocator_under_openssl, starved

KIND = sys.argv[1] if __name__ == "__main__" else ""
NO_OPENSSL = 77  # exit status: this build's OpenSSL is inside the core, where no allocator can be put under it
if KIND == "openssl" and not put_allocator_under_openssl():
    sys.exit(NO_OPENSSL)

import contextlib  # noqa: E402
import socket  # noqa: E402
import ssl as standard  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import wiretight  # noqa: E402
from tests.incidents.faulty import DATA, EXPECTED, SIZES, Case, EchoPeer, positions, reported  # noqa: E402
from tests.kit.certificates import HOST  # noqa: E402
from tests.kit.threads import PATIENCE, Task  # noqa: E402

STANDSTILL = "nothing moves any more, and nobody says why"


class Steps:
    """One scripted conversation with the standard library, some of whose calls meet a fault; records both directions.

    `under` calls an operation of the core's with the fault armed; where it raises, the operation is tried again, as a
    program might, without fault. Either that continues correctly, or it is refused.
    """

    def __init__(self, case: Case, theirs: Any, under: Callable[..., Any], ours: Any = None) -> None:
        self.case = case
        self.under = under
        self.ours = ours
        self.faults: list[BaseException] = []
        self.stack = contextlib.ExitStack()
        self.said = bytearray()
        self.heard = bytearray()
        self.peer_heard = bytearray()
        self.connect(theirs)

    def connect(self, theirs: Any) -> None:
        """Creates the peer and the transport between."""
        raise NotImplementedError

    def wrapped(self, context: Any) -> Any:
        """wiretight's end."""
        raise NotImplementedError

    def driven(self, operation: Callable[..., Any], *args: Any, peer: Callable[[], Any]) -> Any:
        """Repeats the call until it succeeds; the `peer` does its part meanwhile."""
        raise NotImplementedError

    def shake_hands_to_the_end(self) -> None:
        """The peer reads our last flight."""

    def shake_hands(self) -> None:
        """The peer does what it can."""

    def listen(self) -> None:
        """The peer reads all that has come, and echoes it."""

    def hang_up(self) -> None:
        """The peer answers a close_notify."""

    def tried(self, operation: Callable[..., Any], *args: Any) -> Any:
        try:
            return self.under(operation, *args)
        except (standard.SSLWantReadError, standard.SSLWantWriteError, standard.SSLCertVerificationError):
            raise
        except EXPECTED as error:
            self.faults.append(error)
            return operation(*args)

    def run(self) -> None:
        if self.ours is None:
            sock = self.tried(self.wrapped, self.tried(self.case.context, wiretight, self.case.server_side))
        else:
            sock = self.wrapped(self.ours)
        core = self.core = sock._sslobj
        if isinstance(sock, socket.socket):
            self.stack.enter_context(sock)
        self.driven(core.do_handshake, peer=self.shake_hands)
        self.shake_hands_to_the_end()
        self.tried(core.getpeercert)
        for size in SIZES:
            self.send(DATA[:size])
            while len(self.heard) < len(self.said):
                data = self.driven(core.read, 50_000, peer=self.listen)
                if not data and self.faults:
                    raise self.faults[-1]  # after a fatal alert OpenSSL answers further reads like that
                assert data, "the end was reported, and the peer had not said so"
                self.heard += data
        self.driven(core.shutdown, peer=self.hang_up)

    def send(self, data: bytes) -> None:
        self.said += data
        while data:
            data = data[self.driven(self.core.write, data, peer=self.listen) :]

    def close(self) -> None:
        self.stack.close()

    def check(self) -> None:
        assert self.said.startswith(self.heard), f"a wrong byte was received after {self.faults}"
        assert self.said.startswith(self.peer_heard), f"a wrong byte was sent after {self.faults}"


class Pumped(Steps):
    """Neither side waits, and one thread does everything."""

    def connect(self, theirs: Any) -> None:
        self.incoming, self.outgoing = standard.MemoryBIO(), standard.MemoryBIO()
        name = {"server_hostname": HOST} if self.case.server_side else {}
        self.peer = theirs.wrap_bio(self.incoming, self.outgoing, server_side=not self.case.server_side, **name)
        self.peer_error: OSError | None = None

    def shuttle(self) -> bool:
        """Transfers what is in flight; False if nothing was."""
        raise NotImplementedError

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
                assert idle < 4, f"{STANDSTILL} (the peer: {self.peer_error!r})"

    def peer_step(self, operation: Callable[..., Any], *args: Any) -> Any:
        try:
            return operation(*args)
        except standard.SSLWantReadError:
            return None
        except OSError as error:
            self.peer_error = error
            return b""

    def shake_hands(self) -> None:
        self.peer_step(self.peer.do_handshake)

    def shake_hands_to_the_end(self) -> None:
        self.shuttle()
        self.shake_hands()

    def listen(self) -> None:
        while data := self.peer_step(self.peer.read, 65536):
            self.peer_heard += data
            self.peer_step(self.peer.write, data)

    def hang_up(self) -> None:
        self.peer_step(self.peer.unwrap)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            while self.shuttle():
                self.listen()
        super().close()


class NonBlocking(Pumped):
    """Over a socket that never waits."""

    def connect(self, theirs: Any) -> None:
        super().connect(theirs)
        self.in_flight = bytearray()
        self.near, self.far = self.case.transport()
        for sock in (self.near, self.far):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)  # full soon, so that records stay behind
            self.stack.callback(sock.close)

    def wrapped(self, context: Any) -> Any:
        return self.case.wrapped(context, self.near)

    def shuttle(self) -> bool:
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


class OverBIOs(Pumped):
    """Over two MemoryBIOs."""

    def connect(self, theirs: Any) -> None:
        super().connect(theirs)
        self.our_incoming, self.our_outgoing = wiretight.MemoryBIO(), wiretight.MemoryBIO()

    def wrapped(self, context: Any) -> Any:
        name = {} if self.case.server_side else {"server_hostname": HOST}
        return context.wrap_bio(self.our_incoming, self.our_outgoing, server_side=self.case.server_side, **name)

    def shuttle(self) -> bool:
        moved = self.incoming.write(self.our_outgoing.read())
        return bool(self.our_incoming.write(self.outgoing.read()) + moved)


class Waiting(Steps):
    """Over a socket that waits, with the peer in a thread."""

    def __init__(self, *args: Any, timeout: float | None) -> None:
        self.timeout = timeout
        super().__init__(*args)

    def connect(self, theirs: Any) -> None:
        self.near, far = self.case.transport()
        self.near.settimeout(self.timeout)
        self.stack.callback(self.near.close)
        self.peer = EchoPeer(self.case, theirs, far)
        self.peer_heard = self.peer.received

    def wrapped(self, context: Any) -> Any:
        return self.case.wrapped(context, self.near)

    def driven(self, operation: Callable[..., Any], *args: Any, peer: Callable[[], Any]) -> Any:
        return self.tried(operation, *args)

    def close(self) -> None:
        gave_up = isinstance(self.peer.error, TimeoutError)
        super().close()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.peer.sock, socket.SHUT_RDWR)  # close() does not always wake it
        self.peer.task.result()
        assert not gave_up, STANDSTILL


def blocking(*args: Any) -> Steps:
    return Waiting(*args, timeout=None)


def with_timeout(*args: Any) -> Steps:
    return Waiting(*args, timeout=PATIENCE)


WAYS: dict[str, Callable[..., Steps]] = {
    "blocking": blocking,
    "timeout": with_timeout,
    "non-blocking": NonBlocking,
    "bio": OverBIOs,
}


def conversation(steps: Steps, what: str) -> str:
    """Runs and judges it; how it ended."""
    try:
        try:
            steps.run()
            outcome = "completed after an error" if steps.faults else "completed"
        except EXPECTED as error:
            outcome = type(error).__name__
        finally:
            steps.close()
        assert outcome != "TimeoutError", STANDSTILL
        steps.check()
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}, after {steps.faults}") from error
    return outcome


def armed(at: int, counter: list[int]) -> Callable[..., Any]:
    """Calls an operation with the allocation number `at` of the whole conversation failing, counted in `counter`."""

    def under(operation: Callable[..., Any], *args: Any) -> Any:
        try:
            return starved(at - counter[0], operation, *args)
        finally:
            counter[0] += allocations_made()

    return under


def allocations(case: Case, way: str, limit: int) -> Counter[str]:
    """The first allocation fails, the second, …: each conversation continues correctly or is refused."""
    theirs = case.context(standard, not case.server_side)
    outcomes: Counter[str] = Counter()

    def attempt(at: int) -> int:
        counter = [0]
        steps = WAYS[way](case, theirs, armed(at, counter))
        outcome = conversation(steps, f"allocation {at}")
        if at < 0:
            assert outcome == ("completed" if case.trusted else "SSLCertVerificationError")
        else:
            outcomes[outcome] += 1
        assert case.trusted or not outcome.startswith("completed"), "an unverified peer was accepted"
        assert case.trusted or not steps.peer_heard, "an unverified peer was told something"
        return counter[0]

    # A new thread each, which has no buffers yet. What OpenSSL keeps from its first connection is there after that.
    Task(attempt, -1).result()
    for at in positions(Task(attempt, -1).result(), limit):
        print(at, file=sys.stderr, end=" ", flush=True)
        Task(attempt, at).result()
    return outcomes


if __name__ == "__main__":
    if KIND == "python":
        faults.faults_python()
    folder, version, side, way, trusted, limit = sys.argv[2:8]
    case = Case(folder, version, side, "tcp" if way == "timeout" else "unix", trusted=trusted == "trusted")
    reported(lambda: allocations(case, way, int(limit)), the_core=KIND != "python")
