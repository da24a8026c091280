"""tlslite-ng, TLS in pure Python, in the shape of `ssl`, as far as the measures go. It checks no certificate chain."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey

if TYPE_CHECKING:
    import socket

    from typing_extensions import Self

OPENSSL_VERSION = f"tlslite-ng {version('tlslite-ng')}, no OpenSSL"
PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = "client", "server"


class SSLContext:
    def __init__(self, protocol: str) -> None:
        del protocol
        self._settings = HandshakeSettings()
        self._settings.minVersion = (3, 4)
        self._settings.cipherNames = ["aes256gcm"]
        self._settings.keyShares = ["x25519"]

    def load_verify_locations(self, cafile: Path) -> None:
        """Nothing: see the module's docstring."""

    def load_cert_chain(self, chain: Path, key: Path) -> None:
        self._chain = X509CertChain()
        self._chain.parsePemList(Path(chain).read_text())
        self._key = parsePEMKey(Path(key).read_text(), private=True)

    def wrap_socket(
        self, sock: socket.socket, server_side: bool = False, server_hostname: str | None = None
    ) -> Connection:
        connection = TLSConnection(sock)
        del server_hostname  # not checked either
        if server_side:
            connection.handshakeServer(certChain=self._chain, privateKey=self._key, settings=self._settings)
        else:
            connection.handshakeClientCert(settings=self._settings)
        return Connection(connection)


class Connection:
    def __init__(self, connection: TLSConnection) -> None:
        self._connection = connection
        self.recv, self.send, self.sendall = connection.recv, connection.send, connection.sendall

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.sock.close()

    def cipher(self) -> tuple[str]:
        name = str(self._connection.getCipherName())
        return ({"aes256gcm": "TLS_AES_256_GCM_SHA384"}.get(name, name),)

    def version(self) -> str:
        return str(self._connection.getVersionName()).replace(" ", "v")
