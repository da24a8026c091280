"""Tracer: a message callback that writes down what a connection says, as it says it."""

import contextlib
import functools
import itertools
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO
from weakref import WeakKeyDictionary

import wiretight as ssl
from wiretight._cli.streams import OutputError
from wiretight._cli.terminal import BAD, FAINT, GOOD, NOTE, prepare, print_styled, width
from wiretight._cli.trace.messages import Details, name_and_details
from wiretight._cli.trace.names import RECORDS, VERSIONS, alert_name, cipher_name, name_of

_LEVELS = {1: "warning", 2: "fatal"}
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _HEADER = 20, 21, 22, 0x100
_ALWAYS_LISTED = ("versions", "alpn", "key_shares")
_SHORT_LIST = 3
_WIDTH_OF_NAME = 22
_WORDS = {"alpn": "ALPN"}
_UNITS = {"lifetime": " s"}


@dataclass(frozen=True)
class Event:
    """One message, alert or record. `seconds` count from the first one; `bytes` are those of the message."""

    seconds: float
    connection: int
    direction: str  # "sent", "received"
    kind: str  # "handshake", "alert", "change_cipher_spec", "record"
    name: str
    bytes: int
    details: Details


class Tracer:
    """Called for each message. Keeps the events, or writes each as a line into `stream`, unless that is None.

    Record headers are among them only with `records`; lists are written out only if `verbose`. With `numbered`, each
    line has the number of its connection.
    """

    def __init__(
        self, stream: TextIO | None = None, *, records: bool = False, verbose: bool = False, numbered: bool = False
    ) -> None:
        self.events: list[Event] = []
        self._stream, self._records, self._verbose, self._numbered = stream, records, verbose, numbered
        self._keeps, self._is_over = stream is None, False
        self.failure: OutputError | None = None  # of stdout, if it is that
        self._start: float | None = None
        self._numbers: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._next_number = itertools.count(1)
        self._is_headed = numbered  # its lines are among those of a program
        self.lock = threading.RLock()  # one line at a time
        cipher_name(0)  # what takes long the first time is done before the clock runs
        if stream is not None:
            prepare(stream)

    def __call__(
        self, connection: Any, direction: str, version: int, content_type: int, _message_type: int, data: bytes
    ) -> None:
        described = None if self._is_over else self._described(version, content_type, data)
        if described is None:
            return
        with self.lock:
            now = time.perf_counter()
            if self._start is None:
                self._start = now
            kind, name, details = described
            number = self._number(connection)
            said = "sent" if direction == "write" else "received"
            event = Event(now - self._start, number, said, kind, name, len(data), details)
            if self._keeps:
                self.events.append(event)
                return
            try:
                self._print(event)
            except (OSError, OutputError, ValueError) as error:
                self._is_over = True  # that nobody can read it is nothing to the connection
                self.failure = error if isinstance(error, OutputError) else None

    def _described(self, version: int, content_type: int, data: bytes) -> tuple[str, str, Details] | None:
        if content_type == _HANDSHAKE:
            return "handshake", *name_and_details(data, version)
        if content_type == _ALERT and len(data) > 1:
            return "alert", alert_name(data[1]), {"level": _LEVELS.get(data[0], str(data[0]))}
        if content_type == _CHANGE_CIPHER_SPEC:
            return "change_cipher_spec", "ChangeCipherSpec", {}
        if content_type == _HEADER and self._records and len(data) > 4:
            version, length = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:5], "big")
            kind = RECORDS.get(data[0], str(data[0]))
            return "record", "record", {"type": kind, "length": length, "version": name_of(version, VERSIONS)}
        return None

    def _number(self, connection: Any) -> int:
        try:
            if connection not in self._numbers:
                self._numbers[connection] = next(self._next_number)
                if self._stream is not None and self._numbered:
                    with contextlib.suppress(OSError, ValueError):
                        self._announce(connection, self._numbers[connection])
            return self._numbers[connection]
        except Exception:  # of a program's own, without weak references, or with a hash that fails
            return 0

    def _announce(self, connection: Any, number: int) -> None:
        side = "server" if connection.server_side else "client"
        name = connection.server_hostname
        of = f" of {name}" if name and not connection.server_side else ""
        print_styled([(f"connection {number}, {side}{of}", "bold")], self._stream or sys.stdout)

    def _print(self, event: Event) -> None:
        stream = self._stream or sys.stdout
        if not self._is_headed:
            self._is_headed = True
            print_styled([(f"{'ms':>8}    {'message':<{_WIDTH_OF_NAME}}bytes", FAINT)], stream)
        sent = event.direction == "sent"
        style = {"alert": "" if event.name == "close_notify" else BAD, "record": FAINT}.get(event.kind, "")
        name = f"alert {event.name}" if event.kind == "alert" else event.name
        parts = [
            (f"{event.connection:>3} " if self._numbered else "", FAINT),
            (f"{event.seconds * 1000:8.1f} ", FAINT),
            ("-> " if sent else "<- ", GOOD if sent else NOTE),
            (f"{name:<{_WIDTH_OF_NAME}}{event.bytes:>5} ", style),
        ]
        indent = sum(len(text) for text, _ in parts)
        first, *others = _lines(in_words(event, self._verbose), max(20, width(stream) - indent)) or [""]
        print_styled([*parts, (first, style)], stream)
        for line in others:
            print_styled([(" " * indent + line, style)], stream)


def in_words(event: Event, verbose: bool) -> list[str]:
    """What the event says, item by item."""
    parts = []
    for key, value in event.details.items():
        words = _WORDS.get(key, key.replace("_", " "))
        if isinstance(value, list):
            if key == "extensions" and not verbose:
                continue
            if not value:
                continue
            if verbose or key in _ALWAYS_LISTED or len(value) <= _SHORT_LIST:
                parts.append(f"{words}: {', '.join(map(str, value))}")
            else:
                parts.append(f"{len(value)} {words}")
        elif isinstance(value, bool):
            parts.extend([words] if value else [])
        elif value is not None:
            parts.append(f"{words}: {value}{_UNITS.get(key, '')}")
    return parts


def _lines(parts: list[str], room: int) -> list[str]:
    """The parts in as few lines as have room for them; one is broken only if a line is too short for it."""
    lines: list[str] = []
    for text in [*(f"{part};" for part in parts[:-1]), *parts[-1:]]:
        if lines and len(lines[-1]) + 1 + len(text) <= room:
            lines[-1] += f" {text}"
        else:
            lines += textwrap.wrap(text, room, break_on_hyphens=False)
    return lines


def trace_program() -> None:
    """Has every context that is made from now on write its messages to where stderr goes now."""
    try:
        # A descriptor of its own: a program may close 2, and the next socket gets the number.
        stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace")
    except OSError:  # there is no stderr
        return
    tracer = _ProgramTracer(stream, numbered=True)
    os.register_at_fork(
        before=tracer.lock.acquire, after_in_parent=tracer.lock.release, after_in_child=tracer.lock.release
    )
    made, setting = ssl.SSLContext.__new__, vars(ssl.SSLContext)["_msg_callback"]

    @functools.wraps(made)
    def new(cls: type[ssl.SSLContext], *args: Any, **kwargs: Any) -> ssl.SSLContext:
        context = made(cls, *args, **kwargs)
        setting.__set__(context, tracer)  # past a __setattr__ of the program
        return context

    ssl.SSLContext.__new__ = new  # type: ignore[method-assign,assignment]


class _ProgramTracer(Tracer):
    """In the pickle of a context there is none: another process traces if it was started so."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _no_tracer, ()


def _no_tracer() -> Callable[..., None]:
    return _ignore


def _ignore(*_: object) -> None:
    pass
