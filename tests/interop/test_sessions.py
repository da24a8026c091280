"""Sessions that a program keeps as bytes: those of other implementations' clients, and ours with their servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.interop.peers.curl import Curl
from tests.interop.peers.gnutls import GnuTLS
from tests.interop.peers.golang import Go
from tests.interop.peers.haproxy import HAProxy
from tests.interop.peers.nginx import Nginx
from tests.interop.peers.openssl import OpenSSL
from tests.interop.peers.peer import Peer
from tests.interop.peers.terms import Terms, lines_of_digits
from tests.interop.test_peers import answer_call, meet
from tests.kit.caches import Cache
from tests.kit.certificates import Certificates
from tests.kit.subject import tls

CLIENTS = [OpenSSL(), Curl(), GnuTLS(), Go()]
SERVERS = [OpenSSL(), GnuTLS(), Go(), Nginx(), HAProxy()]


@pytest.fixture
def terms(peer: Peer, version: Any, certificates: Certificates, tmp_path: Path) -> Terms:
    if missing := peer.missing():
        pytest.skip(f"{missing}, or scripts/interop")
    return Terms(certificates, version, tmp_path, lines_of_digits(1), resume=True)


class Forgetful(Cache):
    """One that has lost what it is asked for."""

    def get(self, id: bytes) -> None:
        super().get(id)


def called(peer: Peer, terms: Terms, cache: Cache) -> list[bool]:
    """Whether each connection of the client was resumed, where the server has nothing but the cache."""
    context = terms.certificates.server_context(terms.version)
    context.server_session_cache = cache
    answer, seen = answer_call(peer, terms, context)
    assert answer.data == terms.data, answer.said
    return [connection.session_reused for connection in seen]


@pytest.mark.parametrize("peer", CLIENTS, ids=lambda peer: peer.name)
def test_a_client_resumes_a_session_of_the_programs_cache(peer: Peer, terms: Terms) -> None:
    if peer.name == "Go" and terms.version == tls.TLSVersion.TLSv1_2:
        pytest.skip("Go's client resumes sessions of TLS 1.2 by tickets alone")
    cache = Cache()
    assert called(peer, terms, cache) == [False, True]
    assert cache.calls[0] == "put"
    assert "get" in cache.calls
    # One of TLS 1.3 is used once.
    assert ("remove" in cache.calls) == (terms.version == tls.TLSVersion.TLSv1_3)


@pytest.mark.parametrize("peer", [OpenSSL(), Curl()], ids=lambda peer: peer.name)
def test_a_client_whose_session_the_cache_has_lost_is_served(peer: Peer, terms: Terms) -> None:
    cache = Forgetful()
    assert called(peer, terms, cache) == [False, False]
    assert "get" in cache.calls


@pytest.mark.parametrize("peer", SERVERS, ids=lambda peer: peer.name)
def test_a_server_resumes_a_session_that_was_bytes(
    peer: Peer, terms: Terms, certificates: Certificates, version: Any
) -> None:
    with peer.serve(terms) as serving:
        first = meet(serving, terms, certificates.client_context(version))
        assert not first.session_reused
        another = certificates.client_context(version)
        second = meet(serving, terms, another, another.load_session(first.session.to_bytes()))
        assert (second.answer, second.session_reused) == (terms.data, True)
        assert serving.said().get("resumed", True)
