"""Both ends of a connection: certificates, contexts, a TCP pair, and the CPU that an end runs on.

What a module cannot be told through the interface of `ssl` (cipher suite, group) is told to OpenSSL itself, through the
configuration file that OPENSSL_CONF names: so every row, the C program too, negotiates the same.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

NAME = "localhost"

OPENSSL_CONF = """\
openssl_conf = main
[main]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
MinProtocol = TLSv1.3
Groups = X25519
Ciphersuites = {cipher}
"""


def write_certificates(folder: Path, cipher: str) -> None:
    """Put ca.pem, chain.pem, key.pem (ECDSA, P-256) and openssl.cnf into `folder`."""
    import trustme

    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = authority.issue_cert(NAME, key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    (folder / "openssl.cnf").write_text(OPENSSL_CONF.format(cipher=cipher))


def client_context(tls: ModuleType, folder: Path) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / "ca.pem")
    return context


def server_context(tls: ModuleType, folder: Path) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return context


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets on loopback, without Nagle's delay."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    # create_connection and accept may leave a default timeout behind; the measures are of blocking sockets.
    for end in (near, far):
        end.settimeout(None)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def allowed_cpus() -> list[int]:
    """The CPUs that this process may use; empty where the system cannot tell (then nothing is pinned)."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin(cpus: list[int]) -> None:
    if cpus:
        os.sched_setaffinity(0, cpus)


def facts(tls: ModuleType, conn: Any) -> dict[str, Any]:
    """What was measured: every sample carries it, and rows are compared only where it agrees."""
    found: dict[str, Any] = {"openssl": tls.OPENSSL_VERSION, "protocol": conn.version(), "cipher": conn.cipher()[0]}
    low_level = conn._sslobj
    if hasattr(low_level, "counters"):
        found["counters"] = low_level.counters()
    return found
