"""ConnectionInfo: what was agreed on for a connection, and what it has moved."""

from __future__ import annotations

from dataclasses import dataclass

from wiretight._standard.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from wiretight._core.drivers.sslsocket import _SSLSocket


@dataclass(frozen=True)
class ConnectionInfo:
    """A connection at one moment. What is not agreed on, or not known to this OpenSSL, is None.

    The counters are those of the wire: all that has been sent and received for the connection, TLS's own records and
    headers included. They never decrease.

    Since 0.1.
    """

    server_side: bool
    server_hostname: str | None  # that a client verifies, as an A-label
    version: str | None  # "TLSv1.3"
    cipher: str | None  # "TLS_AES_256_GCM_SHA384"
    cipher_bits: int | None  # of its key
    group: str | None  # of the key exchange: "x25519"
    client_signature: str | None  # the algorithm: "ed25519"; None for a client without a certificate
    server_signature: str | None
    alpn_protocol: str | None  # "h2"
    session_reused: bool
    bytes_in: int
    bytes_out: int
    records_in: int
    records_out: int
    system_calls: int  # 0 over BIOs


def information_of(connection: _SSLSocket) -> ConnectionInfo:
    """That of `connection` now. Since 0.1."""
    cipher, _, bits = connection.cipher() or (None, None, None)
    moved = connection.counters()
    return ConnectionInfo(
        server_side=connection.server_side,
        server_hostname=connection.server_hostname,
        version=connection.version(),
        cipher=cipher,
        cipher_bits=bits,
        group=connection.group(),
        client_signature=_if_known(connection.client_sigalg),
        server_signature=_if_known(connection.server_sigalg),
        alpn_protocol=connection.selected_alpn_protocol(),
        session_reused=connection.session_reused,
        bytes_in=moved["bytes_in"],
        bytes_out=moved["bytes_out"],
        records_in=moved["records_in"],
        records_out=moved["records_out"],
        system_calls=moved["syscalls"],
    )


def _if_known(algorithm: Callable[[], str | None]) -> str | None:
    try:
        return algorithm()
    except NotImplementedError:  # OpenSSL before 3.5
        return None
