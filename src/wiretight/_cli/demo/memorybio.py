"""The memory-bio way: TLS without a socket, over any transport; here, a plain TCP socket."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

import wiretight as ssl
from wiretight._cli.demo.download import Download
from wiretight._cli.demo.way import STALLED, Passage, Target
from wiretight._cli.negotiated import Negotiated

T = TypeVar("T")

_CHUNK = 256 * 1024


def fetch(target: Target, downloads: list[Download]) -> Passage:
    """Fetch one download after the other through an SSLObject."""
    passage = Passage()
    for download in downloads:
        with socket.create_connection((target.host, target.port), timeout=STALLED) as transport:
            tunnel = _Tunnel(transport, target)
            begun = time.perf_counter()
            tunnel.drive(tunnel.tls.do_handshake)
            passage.handshakes.append(time.perf_counter() - begun)
            passage.negotiated = Negotiated.by(tunnel.tls)
            tunnel.drive(tunnel.tls.write, download.request)
            while not download.complete:
                count = tunnel.read_into(download.space())
                if not count:
                    break
                download.received(count)
    return passage


class _Tunnel:
    """An SSLObject, its two BIOs, and the transport that carries their contents."""

    def __init__(self, transport: socket.socket, target: Target) -> None:
        self._transport = transport
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = target.context.wrap_bio(self._incoming, self._outgoing, server_hostname=target.name)

    def read_into(self, space: memoryview) -> int:
        """Receive into `space`; 0 at the end of the stream."""
        return self.drive(lambda: self.tls.read(len(space), space))

    def drive(self, step: Callable[..., T], *arguments: object) -> T:
        """`step(*arguments)`, exchanging ciphertext until it has what it needs."""
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:  # expected: hence the loop
                self._flush()  # the peer may be waiting for it before it answers
                data = self._transport.recv(_CHUNK)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            finally:
                self._flush()

    def _flush(self) -> None:
        while self._outgoing.pending:
            self._transport.sendall(self._outgoing.read(_CHUNK))
