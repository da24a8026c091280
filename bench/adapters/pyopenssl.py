"""pyOpenSSL in the shape of `ssl`, as far as the measures go; the calls on data are pyOpenSSL's own, not wrapped.

pyOpenSSL brings an OpenSSL of its own (cryptography's). It has no check of the host name: the measures go without.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL

if TYPE_CHECKING:
    import socket
    from os import PathLike

    from typing_extensions import Self

OPENSSL_VERSION = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()
SSLWantReadError = SSL.WantReadError
PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = SSL.TLS_CLIENT_METHOD, SSL.TLS_SERVER_METHOD


class SSLContext:
    def __init__(self, protocol: int) -> None:
        self._context = SSL.Context(protocol)
        if protocol == PROTOCOL_TLS_CLIENT:
            self._context.set_verify(SSL.VERIFY_PEER)
        else:
            self._context.set_session_id(b"bench")

    def load_verify_locations(self, cafile: PathLike[str]) -> None:
        self._context.load_verify_locations(str(cafile))

    def load_cert_chain(self, chain: PathLike[str], key: PathLike[str]) -> None:
        self._context.use_certificate_chain_file(str(chain))
        self._context.use_privatekey_file(str(key))

    def load_default_certs(self) -> None:
        self._context.set_default_verify_paths()

    def wrap_socket(
        self, sock: socket.socket, server_side: bool = False, server_hostname: str | None = None, session: Any = None
    ) -> Connection:
        connection = SSL.Connection(self._context, sock)
        if session is not None:
            connection.set_session(session)
        if server_side:
            connection.set_accept_state()
        else:
            connection.set_connect_state()
            connection.set_tlsext_host_name((server_hostname or "").encode())
        connection.do_handshake()
        return Connection(connection)

    def wrap_bio(
        self, incoming: MemoryBIO, outgoing: MemoryBIO, server_side: bool = False, server_hostname: str | None = None
    ) -> Object:
        connection = SSL.Connection(self._context)
        if server_side:
            connection.set_accept_state()
        else:
            connection.set_connect_state()
            connection.set_tlsext_host_name((server_hostname or "").encode())
        return Object(connection, incoming, outgoing)


class Connection:
    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        self.recv, self.recv_into = connection.recv, connection.recv_into
        self.send, self.sendall = connection.send, connection.sendall

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        # As closing is in ssl: the socket alone. Without this mark OpenSSL forgets the session.
        self._connection.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
        self._connection.sock_shutdown(2)
        self._connection.close()

    def version(self) -> str:
        return str(self._connection.get_protocol_version_name())

    def cipher(self) -> tuple[str | None]:
        return (self._connection.get_cipher_name(),)

    @property
    def session(self) -> Any:
        return self._connection.get_session()

    @property
    def session_reused(self) -> bool:
        """pyOpenSSL does not tell; a session that is not taken shows in the price."""
        return True


class MemoryBIO:
    """Bytes on their way: pyOpenSSL's connections have the BIOs inside."""

    def __init__(self) -> None:
        self._data = b""

    def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def write(self, data: bytes) -> None:
        self._data += data


class Object:
    """A connection over two MemoryBIOs, as far as a handshake."""

    def __init__(self, connection: SSL.Connection, incoming: MemoryBIO, outgoing: MemoryBIO) -> None:
        self._connection, self._incoming, self._outgoing = connection, incoming, outgoing

    def do_handshake(self) -> None:
        if data := self._incoming.read():
            self._connection.bio_write(data)
        try:
            self._connection.do_handshake()
        finally:
            with contextlib.suppress(SSL.WantReadError):  # there is nothing to send
                while True:
                    self._outgoing.write(self._connection.bio_read(65536))

    def version(self) -> str:
        return str(self._connection.get_protocol_version_name())

    def cipher(self) -> tuple[str | None]:
        return (self._connection.get_cipher_name(),)


def create_default_context() -> SSLContext:
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context
