"""TLS without a socket: a state machine over memory BIOs."""

import ssl
from collections.abc import Iterator

from typing_extensions import assert_type


class Engine:
    """Bytes in, bytes out."""

    def __init__(self, context: ssl.SSLContext, hostname: str | None) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls: ssl.SSLObject = context.wrap_bio(
            self.incoming, self.outgoing, server_side=hostname is None, server_hostname=hostname
        )
        self.done = False

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        self.incoming.write(data) if data else self.incoming.write_eof()
        if not self.done:
            try:
                self.tls.do_handshake()
                self.done = True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        return self.outgoing.read()

    def plaintext(self) -> Iterator[bytes]:
        while True:
            try:
                yield self.tls.read(16384)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                self.close()
                return

    def send(self, data: bytes) -> bytes:
        assert_type(self.tls.write(data), int)
        assert_type(self.outgoing.pending, int)
        assert_type(self.outgoing.eof, bool)
        return self.outgoing.read(self.outgoing.pending)

    def close(self) -> None:
        try:
            self.tls.unwrap()
        except ssl.SSLSyscallError as error:
            print(error.errno, error.reason)

    def describe(self) -> tuple[str | None, str | None, bool]:
        assert_type(self.tls.session_reused, bool)
        assert_type(self.tls.server_hostname, str | None)
        assert_type(self.tls.cipher(), tuple[str, str, int] | None)
        assert_type(self.tls.getpeercert(True), bytes | None)
        assert_type(self.tls.context, ssl.SSLContext)
        return self.tls.version(), self.tls.selected_alpn_protocol(), self.tls.server_side


def wrong(context: ssl.SSLContext) -> None:
    """What a checker has to refuse."""
    context.wrap_bio(b"", b"")  # type: ignore[arg-type]
    ssl.MemoryBIO().write("text")  # type: ignore[arg-type]
