"""SSLSockets and the states they can be in."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl as standard
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.differential.place import Contexts, Place
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.pair import attempt
from tests.kit.sockets import NON_BLOCKING, tls_sockets, unix_pair

IMPATIENCE = 0.001  # seconds until a call that nobody answers gives up


class Sockets(Place):
    """An SSLSocket of a client that never waits, on an AF_UNIX pair: what was sent has arrived."""

    suppress_ragged_eofs = True

    def __init__(self, module: ModuleType, version: Any, contexts: Contexts, side: str) -> None:
        super().__init__(module, version, contexts, side)
        self.peer = self.stack.enter_context(socket.socket())  # until there is another: nobody

    def wrapped(self, plain: socket.socket, **options: Any) -> Any:
        options = {"server_hostname": HOST, "do_handshake_on_connect": False, **options}
        self.it = self.stack.enter_context(self.contexts["client"].wrap_socket(plain, **options))
        self.it.settimeout(0)
        return self.it

    def open(self) -> None:
        sockets = tls_sockets(
            self.contexts["client"],
            self.contexts["server"],
            mode=NON_BLOCKING,
            transport=unix_pair,
            suppress_ragged_eofs=self.suppress_ragged_eofs,
        )
        self.it, self.peer = self.stack.enter_context(sockets)

    def forget_what_left(self) -> None:
        with contextlib.suppress(OSError):  # nobody is there
            attempt(self.peer.recv, 65536)

    def flight(self) -> bytes:
        try:
            return socket.socket.recv(self.peer, 1 << 20, socket.MSG_PEEK)
        except OSError:
            return b""

    def arrivals(self) -> tuple[bytes, Any]:
        if not isinstance(self.peer, standard.SSLSocket):
            return b"", self._plain_end()
        self.peer.suppress_ragged_eofs = False
        return super().arrivals()

    def _plain_end(self) -> str:
        try:
            while self.peer.recv(65536):
                pass
        except OSError as error:
            return type(error).__name__
        return "end"


def unconnected(at: Sockets) -> None:
    at.wrapped(at.stack.enter_context(socket.socket()))


def connected(at: Sockets) -> None:
    plain, at.peer = unix_pair()
    at.stack.enter_context(at.peer)
    at.peer.settimeout(0)
    at.wrapped(at.stack.enter_context(plain))


def shaking_hands(at: Sockets) -> None:
    connected(at)
    attempt(at.it.do_handshake)


def ended_in_handshake(at: Sockets) -> None:
    connected(at)
    at.peer.shutdown(socket.SHUT_WR)


def reset_in_handshake(at: Sockets) -> None:
    shaking_hands(at)
    at.peer.close()


def open_socket(at: Sockets) -> None:
    at.open()


def impatient(at: Sockets) -> None:
    at.open()
    attempt(at.it.read)  # the tickets of TLS 1.3
    at.it.settimeout(IMPATIENCE)


def socket_data(at: Sockets) -> None:
    at.open()
    at.peer.send(b"peer's data")


def socket_partly_read(at: Sockets) -> None:
    socket_data(at)
    at.it.recv(2)


def socket_two_records(at: Sockets) -> None:
    socket_data(at)
    at.peer.send(b"and more")


def socket_close_notify(at: Sockets) -> None:
    at.open()
    attempt(at.peer.unwrap)


def socket_data_and_close_notify(at: Sockets) -> None:
    socket_data(at)
    attempt(at.peer.unwrap)


def socket_end(at: Sockets) -> None:
    at.open()
    attempt(at.it.read)
    socket.socket.shutdown(at.peer, socket.SHUT_WR)


def socket_tickets_and_end(at: Sockets) -> None:
    """In TLS 1.3 the server's tickets lie before the end."""
    at.open()
    socket.socket.shutdown(at.peer, socket.SHUT_WR)


def socket_data_and_end(at: Sockets) -> None:
    socket_data(at)
    socket.socket.shutdown(at.peer, socket.SHUT_WR)


def socket_end_is_an_error(at: Sockets) -> None:
    at.suppress_ragged_eofs = False
    socket_end(at)


def socket_end_met(at: Sockets) -> None:
    socket_end(at)
    at.it.recv(1)


def reset(at: Sockets) -> None:
    at.open()
    attempt(at.it.read)
    at.it.send(b"never read")
    at.peer.close()


def socket_we_closed(at: Sockets) -> None:
    at.open()
    attempt(at.it.unwrap)


def unwrapped(at: Sockets) -> None:
    at.open()
    attempt(at.it.unwrap)
    attempt(at.peer.unwrap)
    at.it.unwrap()
    at.peer.settimeout(0)


def shut_for_writing(at: Sockets) -> None:
    at.open()
    attempt(at.it.read)
    at.it.shutdown(socket.SHUT_WR)


def closed(at: Sockets) -> None:
    at.open()
    at.it.close()


def detached(at: Sockets) -> None:
    at.open()
    at.stack.callback(os.close, at.it.detach())


def listening(at: Sockets) -> None:
    plain = at.stack.enter_context(socket.create_server((ADDRESS, 0)))
    context = at.module.SSLContext(at.module.PROTOCOL_TLS_SERVER)
    at.it = at.stack.enter_context(context.wrap_socket(plain, server_side=True))
    at.it.settimeout(0)


SOCKETS_BEFORE_OPEN = (unconnected, connected, shaking_hands, ended_in_handshake, reset_in_handshake)
SOCKET_STATES: dict[str, Callable[[Sockets], None]] = {
    state.__name__.removeprefix("socket_"): state
    for state in (
        *SOCKETS_BEFORE_OPEN,
        open_socket,
        impatient,
        socket_data,
        socket_partly_read,
        socket_two_records,
        socket_close_notify,
        socket_data_and_close_notify,
        socket_end,
        socket_tickets_and_end,
        socket_data_and_end,
        socket_end_is_an_error,
        socket_end_met,
        reset,
        socket_we_closed,
        unwrapped,
        shut_for_writing,
        closed,
        detached,
        listening,
    )
}
