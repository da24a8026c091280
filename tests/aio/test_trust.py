"""A trust store under asyncio: of a transport on each loop, by wiretight.asyncio and after install()."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.aio.ends import aborting, over_sockets
from tests.aio.protocols import Recorder
from tests.kit.sockets import tcp_pair
from wiretight import CERT_REQUIRED, SSLCertVerificationError, TrustStore, VerifyCode


@pytest.fixture
def contexts(ends: Any, certificates: Any) -> tuple[Any, Any]:
    """A client and a server that verify each other, each by a store of its own."""
    client, server = ends.client_context(), ends.server_context()
    for context in (client, server):
        context.verify_mode = CERT_REQUIRED
        context.trust_store = TrustStore(certificates.ca_file.read_text(), certificates.crl().der)
    client.load_cert_chain(*certificates.client)
    return client, server


def test_the_peers_of_a_store_are_served(way: Any, ends: Any, contexts: tuple[Any, Any]) -> None:
    async def main() -> None:
        async with over_sockets(way, ends, contexts=contexts) as (near, far):
            near.transport.write(b"data")
            assert await far.receive(4) == b"data"

    way.run(main)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_peer_that_was_revoked_meanwhile_is_refused(
    way: Any, ends: Any, contexts: tuple[Any, Any], certificates: Any, side: str
) -> None:
    """The client refuses the server, or the other way round; the connection that exists goes on."""
    which = ("client", "server").index(side)
    store, peer = contexts[which].trust_store, (certificates.server, certificates.client)[which]

    async def main() -> None:
        async with over_sockets(way, ends, contexts=contexts) as (near, far):
            contexts[which].trust_store = TrustStore(store.certificates, certificates.crl(peer).der)
            error = (await both(way, contexts))[which]
            assert isinstance(error, SSLCertVerificationError)
            assert error.verify_code == VerifyCode.CERT_REVOKED
            near.transport.write(b"data")
            assert await far.receive(4) == b"data"

    way.run(main)


def test_a_client_trusts_what_is_added_to_its_store(way: Any, contexts: tuple[Any, Any]) -> None:
    client, _ = contexts
    added = client.trust_store.certificates
    client.trust_store = store = TrustStore()

    async def main() -> None:
        error, _ = await both(way, contexts)
        assert isinstance(error, SSLCertVerificationError)
        store.add_certificates(added)
        assert all(isinstance(made, Recorder) for made in await both(way, contexts))

    way.run(main)


async def both(way: Any, contexts: tuple[Any, Any]) -> list[Any]:
    """The protocols of a connection, client and server, or what they failed with."""
    near, far = tcp_pair()
    for sock in (near, far):
        sock.setblocking(False)
    made = await asyncio.gather(
        way.connect(Recorder, near, contexts[0]), way.accept(Recorder, far, contexts[1]), return_exceptions=True
    )
    async with aborting(*(protocol for protocol in made if isinstance(protocol, Recorder))):
        return made
