"""A verify_callback of a transport: on each loop, by wiretight.asyncio and after install()."""

from __future__ import annotations

import asyncio

import pytest

from tests.aio.ends import aborting, over_sockets
from tests.aio.protocols import Recorder
from tests.kit.certificates import HOST
from tests.kit.sockets import tcp_pair
from wiretight import SSLCertVerificationError, SSLObject


def test_it_gets_the_ssl_object_and_accepts(way, ends):
    seen = []
    client = ends.client_context()
    client.verify_callback = lambda connection, verification: seen.append((connection, verification))

    async def main():
        async with over_sockets(way, ends, contexts=(client, ends.server_context())) as (near, _):
            ((connection, verification),) = seen
            assert isinstance(connection, SSLObject)
            assert connection is near.transport.get_extra_info("ssl_object")
            assert verification.server_hostname == HOST
            assert verification.errors == ()

    way.run(main)


def test_its_refusal_is_what_the_connection_fails_with(way, ends):
    client = ends.client_context()
    client.verify_callback = lambda _, verification: verification.refuse("its key is not pinned")
    error = failure(way, client, ends.server_context())
    assert isinstance(error, SSLCertVerificationError)
    assert error.verify_message == "its key is not pinned"
    assert error.verify_errors[0].code == error.verify_code == 50
    assert error.peer_chain


def test_what_it_raises_is_behind_that(way, ends):
    client = ends.client_context()
    client.verify_callback = lambda *_: 1 / 0
    error = failure(way, client, ends.server_context())
    assert isinstance(error, SSLCertVerificationError)
    assert isinstance(error.__context__, ZeroDivisionError)


def test_without_one_the_error_tells_of_the_chain(way, ends, certificates):
    server = ends.server_context(credentials=certificates.expired)
    error = failure(way, ends.client_context(), server)
    assert isinstance(error, SSLCertVerificationError)
    assert [found.code for found in error.verify_errors] == [error.verify_code] == [10]


def test_it_may_tolerate(way, ends, certificates):
    client = ends.client_context()
    client.verify_callback = lambda _, verification: verification.tolerate(10)

    async def main():
        contexts = client, ends.server_context(credentials=certificates.expired)
        async with over_sockets(way, ends, contexts=contexts) as (near, far):
            near.transport.write(b"data")
            assert await far.receive(4) == b"data"

    way.run(main)


@pytest.mark.parametrize("kind", ["coroutine", "callable"])
def test_a_coroutine_cannot_decide(way, ends, kind):
    async def later(*_): ...

    client = ends.client_context()
    if kind == "coroutine":
        with pytest.raises(TypeError, match="cannot be a coroutine function"):
            client.verify_callback = later
        return
    client.verify_callback = lambda *_: later()
    error = failure(way, client, ends.server_context())
    assert "cannot be a coroutine function" in str(error.__context__)


def failure(way, client_context, server_context):
    """What the client's connection fails with."""

    async def main():
        near, far = tcp_pair()
        for sock in (near, far):
            sock.setblocking(False)
        made = await asyncio.gather(
            way.connect(Recorder, near, client_context),
            way.accept(Recorder, far, server_context),
            return_exceptions=True,
        )
        async with aborting(*(protocol for protocol in made if isinstance(protocol, Recorder))):
            return made[0]

    return way.run(main)
