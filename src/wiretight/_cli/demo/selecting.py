"""The selectors way: one thread drives all connections at once, and none ever waits for another.

A conversation yields the event that it waits for, and is resumed when the selector reports it. The rule for TLS: a
ready descriptor is only a hint; the call that could not proceed says what to wait for. A read may have to wait until
the socket is writable, a write until it is readable, and no selector reports decrypted bytes that are `pending()`.
"""

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable, Generator
from typing import TypeVar

import wiretight as ssl
from wiretight._cli.demo.download import Download
from wiretight._cli.demo.way import STALLED, Passage, Target
from wiretight._cli.negotiated import Negotiated

T = TypeVar("T")
Events = Generator[int, None, T]  # yields selectors.EVENT_READ or EVENT_WRITE


def fetch(target: Target, downloads: list[Download]) -> Passage:
    """Fetch all downloads at the same time, each over a non-blocking connection of its own."""
    passage = Passage()
    conversations = [_Conversation(target, download, passage) for download in downloads]
    try:
        with selectors.DefaultSelector() as selector:
            for conversation in conversations:
                selector.register(conversation.socket.fileno(), next(conversation.events), conversation)
            while selector.get_map():
                ready = selector.select(STALLED)
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    _resume(selector, key)
    finally:
        for conversation in conversations:
            conversation.socket.close()
    return passage


def _resume(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    event = next(key.data.events, None)
    if event is None:
        selector.unregister(key.fd)  # before the close, after which another socket may reuse the descriptor
        key.data.socket.close()
    elif event != key.events:
        selector.modify(key.fd, event, key.data)


class _Conversation:
    """One connection from connect() to its last byte; `events` yields the events that it waits for."""

    def __init__(self, target: Target, download: Download, passage: Passage) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.events = self._events(target, download, passage)

    def _events(self, target: Target, download: Download, passage: Passage) -> Events[None]:
        yield from _connect(self.socket, (target.host, target.port))
        begun = time.perf_counter()
        # Takes over the descriptor, so the selector's registration stays valid.
        self.socket = tls = target.context.wrap_socket(
            self.socket, server_hostname=target.name, do_handshake_on_connect=False
        )
        yield from _retried(tls.do_handshake)
        passage.handshakes.append(time.perf_counter() - begun)
        passage.negotiated = Negotiated.by(tls)
        unsent = download.request
        while unsent:
            sent = yield from _retried(tls.send, unsent)
            unsent = unsent[sent:]
        while not download.complete:
            count = yield from _retried(tls.recv_into, download.space())
            if not count:
                break
            download.received(count)
            if not tls.pending() and not download.complete:
                yield selectors.EVENT_READ  # even if the kernel has more: now it is the others' turn


def _connect(raw: socket.socket, address: tuple[str, int]) -> Events[None]:
    code = raw.connect_ex(address)
    if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        yield selectors.EVENT_WRITE
        code = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _retried(step: Callable[..., T], *arguments: object) -> Events[T]:
    """`step(*arguments)`, repeated after each event that it wants, until it succeeds."""
    while True:
        try:
            return step(*arguments)
        except ssl.SSLWantReadError:  # expected: hence the loop
            yield selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            yield selectors.EVENT_WRITE
