"""What every peer has: a name, a version, roles, and reasons for what it cannot do."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

from tests.interop.peers.terms import Answer, Said, Terms
from tests.kit.programs import Process
from tests.kit.sockets import receive_all, receive_exactly
from tests.kit.threads import PATIENCE

Reasons = dict[tuple[str, ...], str]


class Serving(NamedTuple):
    """A peer's server that listens. `said()` waits for what it says of the last connection."""

    port: int
    said: Callable[[], Said]
    ask: Callable[[Any, Terms], bytes]
    program: Process | None = None  # if it is one that says what goes wrong


class Peer:
    """A program that speaks TLS, in the roles that it has."""

    name: ClassVar[str]
    # What has to be in PATH, and the packages of Debian that bring it there.
    programs: ClassVar[tuple[str, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()
    # Words of a cell (a role, a capability, "TLSv1.2") that the peer has not, and why.
    cannot: ClassVar[Reasons] = {}
    # Whether it checks certificate chains at all.
    verifies: ClassVar[bool] = True
    # Whether its client may give up a handshake and begin another.
    begins_again: ClassVar[bool] = False

    def missing(self) -> str | None:
        """What to do before this peer can be met; None where nothing is missing."""
        lacking = [program for program in self.programs if shutil.which(program) is None]
        return f"needs {' and '.join(lacking)}: {self.install}" if lacking else None

    @property
    def install(self) -> str:
        """The command that installs what is missing."""
        return f"apt-get install {' '.join(self.packages)}"

    def version(self) -> str:
        """As the program itself reports it."""
        raise NotImplementedError

    def reason(self, role: str, capability: str, version: str) -> str | None:
        """Why the peer cannot do this; None if it can."""
        cell = {role, capability, version}
        return next((reason for words, reason in self.cannot.items() if cell.issuperset(words)), None)

    def call(self, terms: Terms, port: int) -> Answer:
        """The peer as a client of 127.0.0.1, which it verifies as localhost. A refused client has no data."""
        raise NotImplementedError

    @contextlib.contextmanager
    def serve(self, terms: Terms) -> Iterator[Serving]:
        """The peer as a server on 127.0.0.1 with the certificate of localhost."""
        raise NotImplementedError
        yield

    def serve_our_end(self, terms: Terms) -> Callable[[Any], None]:
        """What a server does with a connection of this client."""
        return lambda sock: send_back(sock, terms)


def send_back(sock: Any, terms: Terms) -> None:
    """Our server's half of an exchange; it leaves the closing to the client."""
    data = receive_all(sock) if terms.half_close else receive_exactly(sock, len(terms.data))
    sock.sendall(data)
    if terms.half_close:
        sock.shutdown(socket.SHUT_WR)
    else:
        with contextlib.suppress(ConnectionError):
            assert sock.recv(1) == b""


def ask(sock: Any, terms: Terms) -> bytes:
    """Our client's half of an exchange."""
    sock.sendall(terms.data)
    if not terms.half_close:
        return receive_exactly(sock, len(terms.data))
    sock.shutdown(socket.SHUT_WR)
    return receive_all(sock)


def output(*command: object, data: bytes = b"", **options: Any) -> str:
    """The program's output, on whichever stream. For a client that ends by itself."""
    done = subprocess.run(
        [str(part) for part in command],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=2 * PATIENCE,
        check=False,
        **options,
    )
    return done.stdout.decode(errors="replace")
