"""An allocation of the interpreter that fails in a getter: MemoryError, and nothing is freed twice."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from tests.kit.pair import Pair

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None,
    reason="needs an interpreter that can fail at an allocation: install its module _testcapi",
)
MOST = 300  # allocations of one answer


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    "question",
    [
        *("getpeercert", "get_verified_chain", "get_unverified_chain", "shared_ciphers", "cipher"),
        *("selected_alpn_protocol", "get_channel_binding", "version"),
    ],
)
def test_each_allocation_of_a_getter_may_fail(certificates: Any, version: Any, question: str, side: str) -> None:
    client = certificates.client_context(version, credentials=certificates.client, alpn=["h2"])
    server = certificates.server_context(version, client_ca=certificates.ca_file, alpn=["h2"])
    pair = Pair(client, server)
    pair.handshake()
    ask = getattr(getattr(pair, side)._sslobj, question)
    answer = ask()
    failing_each(ask)
    assert repr(ask()) == repr(answer)


@pytest.mark.parametrize("kind", ["tls-exporter", "tls-server-end-point"])
def test_each_allocation_of_a_channel_binding_may_fail(pair: Pair, kind: str) -> None:
    pair.handshake()
    failing_each(lambda: pair.server.get_channel_binding(kind))
    assert pair.server.get_channel_binding(kind) == pair.server.get_channel_binding(kind) is not None


def test_each_allocation_of_the_list_of_ciphers_may_fail(client_context: Any) -> None:
    failing_each(client_context.get_ciphers)


def failing_each(ask: Any) -> None:
    import _testcapi

    for at in range(MOST):
        _testcapi.set_nomemory(at, at + 1)
        try:
            ask()
        except MemoryError:
            continue
        finally:
            _testcapi.remove_mem_hooks()
