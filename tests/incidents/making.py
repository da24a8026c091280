"""Every constructor and getter of wiretight's objects: a table of short calls, by name."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wiretight as ssl
from tests.kit.certificates import ADDRESS, HOST

RECORDS = 30_000  # bytes: two records, and a read that takes part of one


class Workshop:
    """What the calls need: contexts, a connection after its handshake, a listener."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scratch = tempfile.TemporaryDirectory()
        self.authority = (folder / "ca.pem").read_text()
        self.several = "".join((folder / f"{name}.pem").read_text() for name in ("other_ca", "server", "client"))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.load_verify_locations(folder / "ca.pem")
        self.listener = self.server.wrap_socket(
            socket.create_server((ADDRESS, 0)), server_side=True, do_handshake_on_connect=False
        )
        self.connected = self.handshake()

    def close(self) -> None:
        self.client.keylog_filename = None
        self.listener.close()
        self.scratch.cleanup()

    def bios(self) -> tuple[ssl.MemoryBIO, ssl.MemoryBIO]:
        return ssl.MemoryBIO(), ssl.MemoryBIO()

    @contextlib.contextmanager
    def prepared(self, case: str) -> Iterator[None]:
        """What one call uses up: plain sockets, whose descriptors the standard library loses when memory runs out, or a
        context.
        """
        with contextlib.ExitStack() as stack:
            if case == "accept":
                stack.enter_context(socket.create_connection(self.listener.getsockname()))
            elif case.startswith("wrap_socket"):
                pair = (socket.socket(), None) if case.endswith("unconnected") else socket.socketpair()
                self.plain = pair[0]
                for sock in filter(None, pair):
                    stack.enter_context(sock)
            elif case == "load_verify_several":
                self.fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                self.fresh.load_verify_locations(self.folder / "ca.pem")
            yield

    def wrapped(self, **options: Any) -> None:
        self.client.wrap_socket(self.plain, server_hostname=HOST, do_handshake_on_connect=False, **options).close()

    def accepted(self) -> None:
        self.listener.accept()[0].close()

    def handshake(self) -> tuple[ssl.SSLObject, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
        """The client, the server, and the BIOs that lead from the server to the client."""
        (to_client, from_client), (to_server, from_server) = self.bios(), self.bios()
        client = self.client.wrap_bio(to_client, from_client, server_hostname=HOST)
        server = self.server.wrap_bio(to_server, from_server, server_side=True)
        for _ in range(4):
            for side, outgoing, incoming in (client, from_client, to_server), (server, from_server, to_client):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
                incoming.write(outgoing.read())
        return client, server, from_server, to_client

    def agreed(self) -> tuple[Any, ...]:
        client, server, _, _ = self.handshake()
        return client.version(), client.cipher(), client.getpeercert(), server.version(), server.cipher()

    def echo(self) -> int:
        client, server, from_server, to_client = self.connected
        server.write(b"q" * RECORDS)
        to_client.write(from_server.read())
        return len(client.read(20_000)) + len(client.read(20_000))

    def loaded(self) -> int:
        """Several certificates beside one; what fails adds none of them."""
        try:
            self.fresh.load_verify_locations(cadata=self.several)
        except (MemoryError, ssl.SSLError):
            assert self.fresh.cert_store_stats()["x509"] == 1
            raise
        return int(self.fresh.cert_store_stats()["x509"])

    def set_keylog(self) -> None:
        self.client.keylog_filename = str(Path(self.scratch.name, "keys"))

    def set_sni_callback(self) -> None:
        self.server.sni_callback = lambda *_: None

    def set_msg_callback(self) -> None:
        self.server._msg_callback = lambda *_: None


def settings(context: ssl.SSLContext) -> tuple[Any, ...]:
    return (
        context.options, context.verify_mode, context.verify_flags, context.check_hostname, context.minimum_version,
        context.maximum_version, context.cert_store_stats(), len(context.get_ciphers()),
    )  # fmt: skip


# Each returns what can be compared, so that a call that only seems to succeed is found out.
CASES: dict[str, Callable[[Workshop], Any]] = {
    "memory_bio": lambda _: ssl.MemoryBIO(),
    "client_context": lambda _: settings(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
    "server_context": lambda _: settings(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)),
    "default_context": lambda _: settings(ssl.create_default_context()),
    "wrap_bio": lambda shop: shop.client.wrap_bio(*shop.bios(), server_hostname=HOST),
    "wrap_bio_address": lambda shop: shop.client.wrap_bio(*shop.bios(), server_hostname=ADDRESS),
    "wrap_bio_server": lambda shop: shop.server.wrap_bio(*shop.bios(), server_side=True),
    "wrap_socket": Workshop.wrapped,
    "wrap_socket_resuming": lambda shop: shop.wrapped(session=shop.connected[0].session),
    "wrap_socket_unconnected": Workshop.wrapped,
    "accept": Workshop.accepted,
    "handshake": Workshop.agreed,
    "read": Workshop.echo,
    "session": lambda shop: shop.connected[0].session.id,
    "peer_certificate": lambda shop: shop.connected[0].getpeercert(),
    "peer_certificate_binary": lambda shop: shop.connected[0].getpeercert(binary_form=True),
    "peer_chains": lambda shop: [*shop.connected[0].get_verified_chain(), *shop.connected[0].get_unverified_chain()],
    "certificate_of_many_names": lambda shop: ssl._ssl._test_decode_cert(shop.folder / "many_names.pem"),
    "object_identifier": lambda _: ssl._txt2obj("1.3.6.1.5.5.7.3.1"),
    "cipher": lambda shop: (shop.connected[0].cipher(), shop.connected[1].shared_ciphers()),
    "load_verify_file": lambda shop: shop.client.load_verify_locations(shop.folder / "ca.pem"),
    "load_verify_directory": lambda shop: shop.client.load_verify_locations(capath=shop.folder),
    "load_verify_data": lambda shop: shop.client.load_verify_locations(cadata=shop.authority),
    "load_verify_several": Workshop.loaded,
    "load_cert_chain": lambda shop: shop.server.load_cert_chain(
        shop.folder / "server.pem", shop.folder / "server.key", "unneeded"
    ),
    "authorities": lambda shop: (shop.client.get_ca_certs(), shop.client.get_ca_certs(binary_form=True)),
    "ciphers": lambda shop: (shop.client.set_ciphers("DEFAULT"), shop.client.get_ciphers()),
    "alpn": lambda shop: shop.client.set_alpn_protocols(["h2", "http/1.1"]),
    "keylog": Workshop.set_keylog,
    "sni_callback": Workshop.set_sni_callback,
    "msg_callback": Workshop.set_msg_callback,
}
