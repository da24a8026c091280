"""Every pair of calls on one connection, by many threads at once: what each of them may say, and how they are made.

A round has one connection and up to eight threads: four that make the two calls of the pair over and over, two at the
peer, which always reads and, where somebody reads here, always sends, and two that carry the bytes of an object, or one
that runs a transport's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import ssl as standard
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.kit.certificates import HOST, Certificates
from tests.kit.sockets import BLOCKING, NON_BLOCKING, WITH_TIMEOUT, Mode, handshake, tcp_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task
from wiretight import asyncio as native

SMALL, LARGE = b"s" * 100, b"L" * 100_000
PIECE = b"p" * 3000  # what the peer says, again and again

# --- What a call may say ----------------------------------------------------------------------------------------------

ANSWER = frozenset({"answer"})
WANTS = frozenset({"SSLWantReadError", "SSLWantWriteError"})
# Another writer's record is half sent, and these are other bytes.
ENGAGED = frozenset({"SSLError BAD_WRITE_RETRY"})
ENDED = frozenset({
    "answer", "no data", "SSLEOFError", "SSLZeroReturnError", "SSLError", "OSError", "ConnectionResetError",
    "BrokenPipeError", "ConnectionAbortedError",
})  # fmt: skip
UNCONNECTED = frozenset({"AttributeError", "ValueError", "OSError"})  # as in `ssl`: there is no TLS any more


class Call(NamedTuple):
    """A call, and its allowed results: without waiting, while the connection is open, and after its end."""

    name: str
    results: frozenset[str] = ANSWER
    unready: frozenset[str] = frozenset()
    ended: frozenset[str] = ANSWER
    ends: bool = False

    def __str__(self) -> str:
        return self.name


CALLS = {
    call.name: call
    for call in (
        Call("read", unready=WANTS, ended=ENDED | WANTS | UNCONNECTED),
        Call("write small", unready=WANTS | ENGAGED, ended=ENDED | WANTS | ENGAGED | UNCONNECTED),
        Call("write large", unready=WANTS | ENGAGED, ended=ENDED | WANTS | ENGAGED | UNCONNECTED),
        Call("pending"),
        Call("version"),
        Call("getpeercert", ended=ANSWER | UNCONNECTED),
        Call("session"),
        Call("context", ended=ANSWER | UNCONNECTED),
        Call("unwrap", ENDED | UNCONNECTED, unready=WANTS, ended=ENDED | WANTS | UNCONNECTED, ends=True),
        Call("close", ends=True),
    )
}

PAIRS = list(itertools.combinations_with_replacement(CALLS.values(), 2))


def said(call: Callable[[], Any]) -> str:
    """The result of a call in one word or two."""
    try:
        result = call()
    except standard.SSLError as error:
        known = " BAD_WRITE_RETRY" if getattr(error, "reason", None) == "BAD_WRITE_RETRY" else ""
        return type(error).__name__ + known
    except Exception as error:
        return type(error).__name__
    return "no data" if result == b"" else "answer"


# --- The connections --------------------------------------------------------------------------------------------------


class Contexts:
    """Of both roles, in both versions: each a pair, so that a connection can switch to the other one."""

    def __init__(self, certificates: Certificates) -> None:
        self.versions = (standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3)
        self.client = {version: [certificates.client_context(version) for _ in range(2)] for version in self.versions}
        self.server = {version: [certificates.server_context(version) for _ in range(2)] for version in self.versions}


class Ends:
    """One connection: the calls that can be made on it, and its peer, a socket."""

    waits = False  # whether its calls wait

    def __init__(self, contexts: Contexts, version: Any, mode: Mode, at_server: bool) -> None:
        self.mode = mode
        self.contexts = (contexts.server if at_server else contexts.client)[version]
        self.other_contexts = (contexts.client if at_server else contexts.server)[version]
        self.at_server = at_server
        self.switches = itertools.cycle(self.contexts)
        self.tasks: list[Task] = []

    def options(self, at_server: bool) -> dict[str, Any]:
        return {"server_side": True} if at_server else {"server_hostname": HOST}

    def wrapped(self, context: Any, plain: socket.socket, at_server: bool) -> Any:
        return context.wrap_socket(plain, do_handshake_on_connect=False, **self.options(at_server))

    def call(self, name: str) -> Any:
        """Makes the call of this name."""
        calls: dict[str, Callable[[], Any]] = {
            "read": lambda: self.read(1000),
            "write small": lambda: self.write(SMALL),
            "write large": lambda: self.write(LARGE),
            "pending": lambda: self.subject.pending(),
            "version": lambda: self.subject.version(),
            "getpeercert": lambda: self.subject.getpeercert(),
            "session": lambda: self.subject.session,
            "context": self.switch,
            "unwrap": lambda: self.subject.unwrap(),
            "close": self.close,
        }
        return calls[name]()

    def switch(self) -> None:
        self.subject.context = next(self.switches)

    def read(self, size: int) -> Any:
        return self.subject.read(size)

    def write(self, data: bytes) -> Any:
        return self.subject.write(data)

    def close(self) -> None:
        raise NotImplementedError

    subject: Any
    peer: Any


class SocketEnds(Ends):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.waits = self.mode is not NON_BLOCKING
        near, far = tcp_pair()
        self.subject = self.wrapped(self.contexts[0], near, self.at_server)
        self.peer = self.wrapped(self.other_contexts[0], far, not self.at_server)
        handshake(self.subject, self.peer)
        self.subject.settimeout(self.mode.timeout)

    def read(self, size: int) -> Any:
        return self.subject.recv(size)

    def write(self, data: bytes) -> Any:
        return self.subject.send(data)

    def close(self) -> None:
        self.subject.close()


class Foreign:
    """A BIO that is a program's own object."""

    def __init__(self) -> None:
        self.bio = tls.MemoryBIO()
        self.read, self.write, self.write_eof = self.bio.read, self.bio.write, self.bio.write_eof

    @property
    def eof(self) -> bool:
        return self.bio.eof


class ObjectEnds(Ends):
    """An object, whose BIOs two threads share with it: they carry its bytes from and to a socket."""

    bio: Callable[[], Any] = staticmethod(lambda: tls.MemoryBIO())

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.plain, far = tcp_pair()
        self.incoming, self.outgoing = self.bio(), self.bio()
        self.subject = self.contexts[0].wrap_bio(self.incoming, self.outgoing, **self.options(self.at_server))
        self.peer = self.wrapped(self.other_contexts[0], far, not self.at_server)
        self.over = threading.Event()
        self.closing = threading.Lock()
        self.tasks = [Task(self.carry_in), Task(self.carry_out)]
        shaking = Task(self.peer.do_handshake)
        while said(self.subject.do_handshake) != "answer":
            assert self.tasks[0].running, "the peer has left"
        shaking.result()

    def carry_in(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.plain.recv(65536):
                self.incoming.write(data)
        self.incoming.write_eof()

    def carry_out(self) -> None:
        with contextlib.suppress(OSError):
            while not self.over.is_set():
                if data := self.outgoing.read(65536):
                    self.plain.sendall(data)
                else:
                    self.over.wait(0.0005)

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self.plain.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() not in [task.thread for task in self.tasks]:
            for task in self.tasks:
                task.result()
        with self.closing:  # without a GIL a plain socket that two threads close is closed twice
            self.plain.close()


class ForeignEnds(ObjectEnds):
    bio = Foreign


class TransportEnds(Ends):
    """A transport, whose loop has a thread of its own: what only that may call is handed to it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        near, far = tcp_pair()
        near.setblocking(False)
        self.peer = self.wrapped(self.other_contexts[0], far, not self.at_server)
        self.loop = asyncio.SelectorEventLoop()
        self.tasks = [Task(self.loop.run_forever)]
        shaking = Task(self.peer.do_handshake)
        self.transport = asyncio.run_coroutine_threadsafe(self.made(near), self.loop).result(PATIENCE)
        shaking.result()
        self.subject = self.transport.get_extra_info("ssl_object")

    async def made(self, near: socket.socket) -> Any:
        if self.at_server:
            return (await native.connect_accepted_socket(asyncio.Protocol, near, ssl=self.contexts[0]))[0]
        context = self.contexts[0]
        return (await native.create_connection(asyncio.Protocol, sock=near, ssl=context, server_hostname=HOST))[0]

    def in_loop(self, function: Callable[..., Any], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(function, *args)

    def write(self, data: bytes) -> Any:
        self.in_loop(self.transport.write, data)

    def close(self) -> None:
        self.in_loop(self.transport.abort)

    def finish(self) -> None:
        self.in_loop(self.transport.abort)
        self.in_loop(self.loop.call_later, 0.001, self.loop.stop)
        self.tasks[0].result()
        self.loop.close()


KINDS: dict[str, tuple[type[Ends], Mode]] = {
    "blocking socket": (SocketEnds, BLOCKING),
    "socket with a timeout": (SocketEnds, WITH_TIMEOUT),
    "non-blocking socket": (SocketEnds, NON_BLOCKING),
    "object": (ObjectEnds, NON_BLOCKING),
    "object over foreign BIOs": (ForeignEnds, NON_BLOCKING),
    "transport": (TransportEnds, NON_BLOCKING),
}


# --- A round ----------------------------------------------------------------------------------------------------------


def listen(peer: Any) -> None:
    """The peer's reader: to the end, and then it ends its side."""
    with contextlib.suppress(OSError):
        while peer.recv(65536):
            pass
    with contextlib.suppress(OSError, ValueError):
        peer.unwrap()
    peer.close()


def talk(peer: Any) -> None:
    with contextlib.suppress(OSError):
        while peer.send(PIECE):
            pass


class Round(NamedTuple):
    kind: str
    version: Any
    pair: tuple[Call, Call]

    def __str__(self) -> str:
        return f"{self.kind}, {self.version.name}, {self.pair[0]} with {self.pair[1]}"

    def run(self, contexts: Contexts, times: int, at_server: bool = False) -> Counter[str]:
        """Makes both calls `times` times in two threads each; returns the results. Fails if the table lacks one."""
        make, mode = KINDS[self.kind]
        ends = make(contexts, self.version, mode, at_server)
        ends.peer.settimeout(PATIENCE)
        heard: Counter[str] = Counter()
        together = threading.Barrier(4)
        is_ended = any(call.ends for call in self.pair)
        in_the_middle = threading.Event()

        def repeat(call: Call) -> list[str]:
            results = []
            together.wait(PATIENCE)
            if call.ends and not all(call.ends for call in self.pair):
                assert in_the_middle.wait(PATIENCE)
                return [said(lambda: ends.call(call.name))]
            for number in range(times):
                results.append(said(lambda: ends.call(call.name)))
                if number == times // 2:
                    in_the_middle.set()
            return results

        peers = [Task(listen, ends.peer)]
        if any(call.name == "read" for call in self.pair):  # what nobody reads would fail an unwrap()
            peers.append(Task(talk, ends.peer))
        callers = [(call, Task(repeat, call)) for call in self.pair for _ in range(2)]
        try:
            for call, task in callers:
                allowed = call.results | (frozenset() if ends.waits else call.unready)
                allowed |= call.ended if is_ended else frozenset()
                results = task.result()
                assert set(results) <= allowed, f"{self}: {call} says {sorted(set(results) - allowed)}"
                heard.update(f"{call}: {result}" for result in results)
        finally:
            ends.close()
            getattr(ends, "finish", lambda: None)()
            # Linux may keep a peer with a full queue waiting for tens of seconds after this end was closed: with a zero
            # window advertised before, it learns of that by probes alone (persist timer, CLOSE-WAIT).
            with contextlib.suppress(OSError):
                socket.socket.shutdown(ends.peer, socket.SHUT_RDWR)
            for task in peers + ends.tasks:
                task.result()
            ends.peer.close()
        return heard


def every_round(chance: random.Random) -> Iterator[Round]:
    """Each pair on each kind of connection in both versions once, in an order of chance."""
    every = [
        Round(kind, version, pair)
        for kind in KINDS
        for version in (standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3)
        for pair in PAIRS
    ]
    chance.shuffle(every)
    return iter(every)
