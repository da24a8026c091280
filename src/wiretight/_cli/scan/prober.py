"""Prober: asks a server, a few questions at a time, until there is an answer or no time left."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from wiretight._cli.connect import starttls
from wiretight._cli.errors import CommandError, connection_failure, what_happened
from wiretight._cli.scan.answer import Answer, Flight, NotTLS, ssl2_answer
from wiretight._cli.scan.hello import Hello, ssl2_record
from wiretight._cli.terminal import clean

T = TypeVar("T")

_STEP_SECONDS = 10.0
_SILENCES_LIMIT = 3
_PIECE = 65536
_SSL2_SECONDS = 2.0  # who does not know it may wait for the rest of a record


class OutOfTime(Exception):
    """The time for the whole scan is over."""


class Prober:
    """Connects to one server, with at most `parallel` connections at once, for `seconds` in all.

    `connections` counts them; `troubles` are sentences about questions that got no answer, so that what follows from
    them may be incomplete.
    """

    def __init__(self, host: str, port: int, name: str, protocol: str | None, parallel: int, seconds: float) -> None:
        self.host, self.port, self.name = host, port, name
        self.peer = f"{host}:{port}"
        self.connections = 0
        self.troubles: list[str] = []
        self.step = min(_STEP_SECONDS, seconds / 3)  # seconds for a connection and its answer
        self._protocol = protocol
        self._places = threading.BoundedSemaphore(parallel)
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds
        self._addresses: list[tuple[int, tuple[object, ...]]] = []
        self._silences = 0

    @property
    def left(self) -> float:
        """Seconds that are left. Raises OutOfTime if there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime
        return left

    def together(self, *errands: Callable[[], None]) -> None:
        """Run them in threads, as far as there are places for connections.

        Raises OutOfTime, or the first other exception of theirs; they go on then, until they notice.
        """
        failures: list[BaseException] = []

        def run(errand: Callable[[], None]) -> None:
            try:
                errand()
            except BaseException as failure:  # for whoever waits
                failures.append(failure)

        threads = [threading.Thread(target=run, args=(errand,), daemon=True) for errand in errands]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive() and not failures:
                thread.join(min(0.1, self.left))
        if failures:
            raise failures[0]

    def first_contact(self, hello: Hello) -> Answer:
        """The answer to the first ClientHello. Raises CommandError if the server is not there, or is none of TLS."""
        self.together(self._resolve)
        try:
            return self._ask(hello, looks_on=False)
        except NotTLS as odd:
            raise CommandError(f"{self.peer} {_sentence(odd)}") from None
        except OSError as error:
            raise connection_failure(error, self.peer, self.step) from error

    def ask(self, hello: Hello, looks_on: bool = False) -> Answer:
        """The answer to a ClientHello; whoever closes or resets the connection is asked twice."""
        return self._noted(lambda: self._ask_twice(hello, looks_on))

    def ask_ssl2(self) -> Answer:
        """The answer to the CLIENT-HELLO of SSL 2.0."""
        return self._noted(self._ask_ssl2)

    @contextlib.contextmanager
    def place(self) -> Iterator[float]:
        """The right to have a connection; yields for how many seconds."""
        while not self._places.acquire(timeout=min(0.1, self.left)):
            pass
        try:
            self.connections += 1
            yield min(self.step, self.left)
        finally:
            self._places.release()

    def connect(self, seconds: float) -> socket.socket:
        """A connection on which the handshake can begin."""
        raw = self._connect(seconds)
        try:
            if self._protocol:
                starttls.start(raw, self._protocol, self.name, self.peer, seconds)
        except BaseException:
            raw.close()
            raise
        return raw

    def _resolve(self) -> None:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise connection_failure(error, self.peer) from error
        self._addresses = [(family, address) for family, _, _, _, address in found]

    def _connect(self, seconds: float) -> socket.socket:
        """To the address that answered last, if there are several."""
        failure: Exception | None = None
        addresses, end = list(self._addresses), time.monotonic() + min(seconds, self.left)
        for number, (family, address) in enumerate(addresses):
            raw = socket.socket(family, socket.SOCK_STREAM)
            try:
                raw.settimeout(max(1e-3, (end - time.monotonic()) / (len(addresses) - number)))
                raw.connect(address)
            except OSError as error:
                raw.close()
                failure = error
                continue
            except BaseException:
                raw.close()
                raise
            self._addresses = [(family, address)]
            raw.settimeout(seconds)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return raw
        raise failure or OSError("it has no address")

    def _noted(self, ask: Callable[[], Answer]) -> Answer:
        try:
            answer = ask()
        except NotTLS as odd:
            self.note(_sentence(odd))
            return Answer(end="odd")
        except CommandError as error:
            self.note(str(error).removeprefix(f"{self.peer} "))
            return Answer(end="odd")
        except OSError as error:
            self.note(what_happened(error, self.step))
            return Answer(end="odd")
        if answer.end == "silent":
            self.note(f"did not answer a question within {self.step:g} s")
            self._silences += 1
            if self._silences > _SILENCES_LIMIT:
                raise OutOfTime
        return answer

    def note(self, sentence: str) -> None:
        """Keep it in `troubles`, once."""
        if sentence not in self.troubles:
            self.troubles.append(sentence)

    def _ask_twice(self, hello: Hello, looks_on: bool) -> Answer:
        for _ in range(2):
            answer = self._ask(hello, looks_on)
            if answer.end not in ("closed", "reset"):
                break
        return answer

    def _ask(self, hello: Hello, looks_on: bool) -> Answer:
        message = hello.message()
        flight = Flight(message, looks_on)
        with self.place() as seconds:
            end = time.monotonic() + seconds
            with self.connect(seconds) as raw:
                try:
                    raw.sendall(hello.record(message))
                    while not flight.is_over:
                        raw.settimeout(max(1e-3, end - time.monotonic()))
                        data = raw.recv(_PIECE) if time.monotonic() < end else None
                        if not data:
                            flight.answer.end = "silent" if data is None else "closed"
                            break
                        flight.feed(data)
                except TimeoutError:
                    flight.answer.end = "silent"
                except (ConnectionResetError, BrokenPipeError):
                    flight.answer.end = "reset"
        if flight.answer.end:
            flight.answer.version = None  # it did not come to its end
        return flight.answer

    def _ask_ssl2(self) -> Answer:
        with self.place() as seconds:
            end = time.monotonic() + min(seconds, _SSL2_SECONDS)
            with self.connect(seconds) as raw:
                data = b""
                try:
                    raw.sendall(ssl2_record())
                    while time.monotonic() < end and len(data) < _PIECE:
                        raw.settimeout(max(1e-3, end - time.monotonic()))
                        more = raw.recv(_PIECE)
                        data += more
                        answer = ssl2_answer(data)
                        if answer is not None or not more:
                            return answer or Answer(end="closed")
                except (OSError, ValueError):
                    pass
        return Answer(end="closed")


def _sentence(odd: NotTLS) -> str:
    begin = clean(odd.begin[:20].decode("latin-1"))
    if odd.begin[:5] in (b"HTTP/", b"<html", b"<!DOC"):
        return "speaks plain HTTP on this port, not TLS"
    if odd.begin[:4] == b"SSH-":
        return "speaks SSH on this port, not TLS"
    return f"{odd}: it answered {begin!r}" if begin else str(odd)
