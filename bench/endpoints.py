"""Both ends of a connection: certificates, contexts, a TCP pair, and the CPU that an end runs on.

What a module cannot be told through the interface of `ssl` (cipher suite, group) is told to OpenSSL itself, through the
configuration file that OPENSSL_CONF names: so every row, the C program too, negotiates the same.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

NAME = "localhost"
GROUP = "X25519"
GROUPS = (GROUP, "X25519MLKEM768")

OPENSSL_CONF = """\
openssl_conf = main
[main]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
MinProtocol = TLSv1.3
Groups = {group}
Ciphersuites = {cipher}
"""


def write_certificates(folder: Path, cipher: str) -> None:
    """Put ca.pem, chain.pem and key.pem (ECDSA, P-256) into `folder`, roots.pem, and a GROUP.cnf for each group."""
    import trustme

    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = authority.issue_cert(NAME, key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    for group in GROUPS:
        (folder / f"{group}.cnf").write_text(OPENSSL_CONF.format(cipher=cipher, group=group))
    (folder / "no-roots").mkdir()
    (folder / "roots.pem").write_bytes(Path(_roots()).read_bytes())


def _roots() -> str:
    """The file of CA certificates that every row trusts by default: certifi's, for the same on every machine."""
    if importlib.util.find_spec("certifi") is not None:
        return str(importlib.import_module("certifi").where())
    found = ssl.get_default_verify_paths().cafile
    if found is None:
        raise FileNotFoundError("no file of CA certificates: install certifi, or the system's ca-certificates")
    return found


def client_context(tls: ModuleType, folder: Path) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(str(folder / "ca.pem"))
    return context


def server_context(tls: ModuleType, folder: Path) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(folder / "chain.pem"), str(folder / "key.pem"))
    return context


def listener(backlog: int = 1) -> socket.socket:
    """A listening socket whose connections have no Nagle's delay, whether or not the implementation sees to it."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def tcp_to(address: tuple[str, int]) -> socket.socket:
    return _plain(socket.create_connection(address))


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets on loopback, without Nagle's delay."""
    with listener() as listening:
        near = tcp_to(listening.getsockname())
        far, _ = listening.accept()
    return near, _plain(far)


def _plain(sock: socket.socket) -> socket.socket:
    # create_connection and accept may leave a default timeout behind; the measures are of blocking sockets.
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def allowed_cpus() -> list[int]:
    """The CPUs that this process may use; empty where the system cannot tell (then nothing is pinned)."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin(cpus: list[int]) -> None:
    if cpus:
        os.sched_setaffinity(0, cpus)


def facts(tls: ModuleType, conn: Any) -> dict[str, Any]:
    """What was measured: every sample carries it, and rows are compared only where it agrees."""
    found: dict[str, Any] = {"openssl": tls.OPENSSL_VERSION, "protocol": conn.version(), "cipher": conn.cipher()[0]}
    low_level = getattr(conn, "_sslobj", None)
    if hasattr(low_level, "counters"):
        found["counters"] = low_level.counters()
    return found


def negotiated(tls: ModuleType, transport: Any) -> dict[str, Any]:
    """The same of an asyncio transport."""
    conn = transport.get_extra_info("ssl_object")
    return {"openssl": tls.OPENSSL_VERSION, "protocol": conn.version(), "cipher": conn.cipher()[0]}
