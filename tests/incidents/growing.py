"""Connections of one kind, and what is left of each: `python -m tests.incidents.growing KIND COUNT FOLDER VERSION`.

In a process of its own with PYTHONMALLOC=malloc, so that all that is allocated is counted, and nobody else allocates.
Bytes that were not freed, for each connection, go to standard output: the slope of the line through all samples.
"""

from __future__ import annotations

import asyncio
import contextlib
import os.path
import ssl as standard
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.memory import Samples, allocated
from tests.kit.pair import Pair
from tests.kit.sockets import tls_sockets
from wiretight import TrustStore
from wiretight import asyncio as native
from wiretight._core.base import files

# Connections after which caches have their size: OpenSSL's of algorithms takes hundreds of contexts.
SETTLED = {"new_contexts": 1000}
if sys.version_info < (3, 11):  # which gives each function a cache when it has been called 1,024 times
    SETTLED["transports"] = 1500
SETTLED_OTHERS = 200
SAMPLES = 20
SAID = b"said " * 100


class Connections:
    """Each method makes one connection, or two, from contexts that live as long as the program's."""

    def __init__(self, certificates: Certificates, version: standard.TLSVersion) -> None:
        self.certificates = certificates
        self.version = version
        self.client = certificates.client_context(version, credentials=certificates.client, alpn=["h2"])
        self.server = certificates.server_context(version, client_ca=certificates.ca_file, alpn=["h2"])
        self.distrusting = certificates.client_context(version, ca_file=certificates.other_ca_file)
        self.other = certificates.server_context(version)
        self.root, self.crl = certificates.ca_file.read_text(), certificates.crl().der
        self.session: Any = None

    def talk(self, pair: Pair) -> None:
        pair.handshake()
        assert pair.transfer(SAID, pair.client) == SAID
        assert pair.transfer(SAID, pair.server) == SAID
        pair.close()

    def full(self) -> None:
        self.talk(Pair(self.client, self.server))

    def resumed(self) -> None:
        pair = Pair(self.client, self.server, session=self.session)
        self.talk(pair)
        assert self.session is None or pair.client.session_reused
        self.session = pair.client.session

    def asked(self) -> None:
        """Calls every getter of a connection."""
        pair = Pair(self.client, self.server)
        self.talk(pair)
        for side in (pair.client, pair.server):
            assert side.session.id is not None
            assert side.getpeercert()["subject"]
            assert side.getpeercert(True)
            assert side.get_verified_chain()
            assert side.get_unverified_chain()
            assert side.cipher()
            assert side.version()
            assert side.selected_alpn_protocol()
            side.shared_ciphers()

    def refused(self) -> None:
        with contextlib.suppress(standard.SSLError):
            Pair(self.distrusting, self.other).handshake()

    def abandoned(self) -> None:
        """In the middle of the handshake, and in the middle of the data."""
        pair = Pair(self.client, self.server)
        with contextlib.suppress(standard.SSLWantReadError):
            pair.client.do_handshake()
        pair.pump()
        with contextlib.suppress(standard.SSLWantReadError):
            pair.server.do_handshake()
        pair = Pair(self.client, self.server)
        pair.handshake()
        pair.client.write(SAID)

    def called_back(self) -> None:
        self.other.sni_callback = lambda side, *_: setattr(side, "context", self.server)
        self.other._msg_callback = self.client._msg_callback = lambda *_: None
        self.talk(Pair(self.client, self.other))

    def new_contexts(self) -> None:
        client = self.certificates.client_context(self.version)
        self.talk(Pair(client, self.certificates.server_context(self.version)))

    def new_trust(self) -> None:
        """Another store each time, and what goes wrong with one."""
        store = TrustStore(self.root, self.crl)
        with contextlib.suppress(standard.SSLError):
            store.add_certificates([self.root, self.crl])
        store.add_crls([self.crl, self.certificates.crl().der])
        self.client.trust_store = store
        self.full()

    def trusted_again(self) -> None:
        """Loads what is there already."""
        self.client.trust_store.add_certificates(self.root)
        self.client.trust_store.add_crls(self.crl)
        self.server.load_verify_locations(self.certificates.ca_file, cadata=self.root)
        self.server.load_verify_locations(capath=self.certificates.folder)
        self.full()

    def sockets(self) -> None:
        with tls_sockets(self.client, self.server) as (client, server):
            client.sendall(SAID)
            assert server.recv(len(SAID)) == SAID

    def threads(self) -> None:
        thread = threading.Thread(target=self.sockets)
        thread.start()
        native = f"/proc/self/task/{thread.native_id}"
        thread.join()
        # Which returns before the thread has freed what is its own. A Path interns the number, from 3.12 on for ever.
        while os.path.exists(native):  # noqa: PTH110
            pass

    def transports(self) -> None:
        # A loop of its own: one that goes on keeps up to a hundred timers that were cancelled.
        asyncio.run(self.streams())

    async def streams(self) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(len(SAID)))
            writer.close()
            await writer.wait_closed()

        server = await native.start_server(answer, ADDRESS, 0, ssl=self.server)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await native.open_connection(ADDRESS, port, ssl=self.client, server_hostname=HOST)
        writer.write(SAID)
        assert await reader.read() == SAID
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()


KINDS = [
    name for name, value in vars(Connections).items() if name not in {"__init__", "talk", "streams"} and callable(value)
]


def slope(connection: Callable[[], None], settled: int, count: int) -> float:
    for _ in range(settled):
        connection()
    allocated()
    samples = Samples(SAMPLES)
    for number in range(SAMPLES):
        for _ in range(count // SAMPLES):
            connection()
        samples.take(number * (count // SAMPLES), allocated())
    return samples.slope()


def main() -> None:
    kind, count, folder, version = sys.argv[1:]
    warnings.simplefilter("error")
    # The CA file of a moment ago would be cached from its fourth second on, which would look like growth.
    files.SETTLED_AFTER = -(10**9)
    connections = Connections(Certificates(Path(folder)), standard.TLSVersion[version])
    print(slope(getattr(connections, kind), SETTLED.get(kind, SETTLED_OTHERS), int(count)))


if __name__ == "__main__":
    main()
