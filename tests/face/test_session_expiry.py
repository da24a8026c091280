"""A session ends with the first of the certificates that its peer was verified by, at both ends, however it is kept."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.authority import DAY, NOW, Issued, issue
from tests.kit.caches import Cache
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.subject import tls

HOUR = NOW + dt.timedelta(hours=1)  # before any lifetime of a session
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
CHAIN = ("anchor", "intermediate", "leaf")


def visit(client_context: Any, server_context: Any, session: Any = None) -> Pair:
    """A connection that reads something, and with it the tickets."""
    pair = Pair(client_context, server_context, session=session)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    return pair


def leaf_of(brief: str, end: dt.datetime) -> Issued:
    """A certificate, of whose chain one ends with `end`, and the others later."""
    ends = {each: end if each == brief else NOW + DAY for each in CHAIN}
    begin = min(NOW, end) - DAY
    anchor = issue("CA", ca=True, not_before=begin, not_after=ends["anchor"])
    intermediate = anchor.issue("intermediate", ca=True, not_before=begin, not_after=ends["intermediate"])
    return intermediate.issue(names=[HOST], not_before=begin, not_after=ends["leaf"])


def anchor_of(leaf: Issued) -> str:
    assert leaf.issuer is not None
    assert leaf.issuer.issuer is not None
    return leaf.issuer.issuer.pem


class Ends:
    """Contexts that verify each other. One of them has a chain that ends with `end`."""

    def __init__(self, folder: Path, version: Any, side: str, brief: str, end: dt.datetime = HOUR) -> None:
        leaves = {"client": leaf_of("none", end), "server": leaf_of("none", end), side: leaf_of(brief, end)}
        self.files = {each: leaf.write(folder, each) for each, leaf in leaves.items()}
        self.anchors = {"client": anchor_of(leaves["server"]), "server": anchor_of(leaves["client"])}
        self.version = version

    def context(self, side: str) -> Any:
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT if side == "client" else tls.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = self.version
        context.load_cert_chain(*self.files[side])
        context.load_verify_locations(cadata=self.anchors[side])
        context.verify_mode = tls.CERT_REQUIRED
        return context


KEPT: dict[str, Callable[[Any, Any], None]] = {
    "in tickets": lambda *_: None,
    "by OpenSSL": lambda context, _: setattr(context, "options", context.options | tls.OP_NO_TICKET),
    "in a cache": lambda context, cache: setattr(context, "server_session_cache", cache),
    "with a ring's keys": lambda context, _: setattr(context, "ticket_keys", tls.TicketKeys()),
}


def end_of(session: Any) -> float:
    """As the server of OpenSSL has it, which resumes."""
    return session.time + session.timeout  # type: ignore[no-any-return]


# --- Before the end --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("brief", CHAIN)
def test_a_clients_session_ends_with_the_chain_of_its_server(tmp_path: Path, version: Any, brief: str) -> None:
    ends = Ends(tmp_path, version, "server", brief)
    client_context, server_context = ends.context("client"), ends.context("server")
    session = visit(client_context, server_context).client.session
    assert session.expires == HOUR.timestamp()
    for _ in range(2):
        pair = visit(client_context, server_context, session)
        assert pair.client.session_reused
        session = pair.client.session
        assert session.expires == HOUR.timestamp()
    loaded = ends.context("client").load_session(session.to_bytes())
    assert loaded.expires == HOUR.timestamp()
    store = client_context.session_store = tls.MemorySessionStore()
    assert not visit(client_context, server_context).client.session_reused
    assert visit(client_context, server_context).client.session.expires == HOUR.timestamp()
    assert len(store)


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("brief", CHAIN)
def test_a_servers_session_ends_with_the_chain_of_its_client(
    tmp_path: Path, version: Any, brief: str, kept: str
) -> None:
    ends = Ends(tmp_path, version, "client", brief)
    client_context, server_context = ends.context("client"), ends.context("server")
    cache = Cache()
    KEPT[kept](server_context, cache)
    session = None
    for is_resumed in (False, True, True):
        pair = visit(client_context, server_context, session)
        assert pair.server.session_reused is is_resumed
        assert end_of(pair.server.session) == HOUR.timestamp()
        session = pair.client.session
    assert set(cache.expires) <= {HOUR.timestamp()}


@pytest.mark.parametrize("kept", ["in a cache", "with a ring's keys"])
def test_other_processes_know_the_end(tmp_path: Path, version: Any, kept: str) -> None:
    ends = Ends(tmp_path, version, "client", "intermediate")
    client_context, one, other = ends.context("client"), ends.context("server"), ends.context("server")
    KEPT[kept](one, Cache())
    other.server_session_cache, other.ticket_keys = one.server_session_cache, one.ticket_keys
    session = visit(client_context, one).client.session
    resumed = visit(client_context, other, session)
    assert resumed.server.session_reused
    assert end_of(resumed.server.session) == HOUR.timestamp()


@pytest.mark.parametrize("kept", KEPT)
def test_so_it_is_with_a_client_that_is_verified_after_the_handshake(tmp_path: Path, kept: str) -> None:
    ends = Ends(tmp_path, tls.TLSVersion.TLSv1_3, "client", "intermediate")
    client_context, server_context = ends.context("client"), ends.context("server")
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    KEPT[kept](server_context, Cache())
    pair = visit(client_context, server_context)
    assert end_of(pair.server.session) > HOUR.timestamp()
    pair.server.verify_client_post_handshake()
    for _ in range(2):
        pair.transfer(b"data", pair.server)
        pair.transfer(b"data", pair.client)
    assert pair.server.getpeercert()
    assert end_of(pair.server.session) == HOUR.timestamp()
    resumed = visit(client_context, server_context, pair.client.session)
    assert resumed.server.session_reused
    assert end_of(resumed.server.session) == HOUR.timestamp()


def test_of_a_chain_that_nobody_verifies_the_servers_own_certificate_counts(tmp_path: Path, version: Any) -> None:
    ends = Ends(tmp_path, version, "server", "intermediate")
    client_context, server_context = ends.context("client"), ends.context("server")
    client_context.check_hostname, client_context.verify_mode = False, tls.CERT_NONE
    assert visit(client_context, server_context).client.session.expires > HOUR.timestamp()


# --- After it --------------------------------------------------------------------------------------------------------
Visitor = tuple[Any, Any, Any]


def visitors_until(end: dt.datetime, folder: Path) -> dict[str, list[Visitor]]:
    """By the side in whose chain a certificate ends then: contexts of clients and their servers, and sessions, of both
    versions, with tickets and without, of a first and of a resumed connection.
    """
    visitors: dict[str, list[Visitor]] = {"client": [], "server": []}
    for side, late in visitors.items():
        for brief in CHAIN:
            for version in (tls.TLSVersion.TLSv1_2, tls.TLSVersion.TLSv1_3):
                ends = Ends(folder, version, side, brief, end)
                for kept in ("in tickets", "by OpenSSL"):
                    client_context, server_context = ends.context("client"), ends.context("server")
                    KEPT[kept](server_context, None)
                    first = visit(client_context, server_context).client.session
                    resumed = visit(client_context, server_context, first)
                    assert resumed.server.session_reused
                    late += [(client_context, server_context, each) for each in (first, resumed.client.session)]
    return visitors


@pytest.fixture
def late_visitors(tmp_path: Path) -> dict[str, list[Visitor]]:
    """Those whose chain has expired meanwhile. If a machine is too slow for the first end, there is a later one."""
    for patience in (5, 20, 80):
        end = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=patience)).replace(microsecond=0)
        try:
            visitors = visitors_until(end, tmp_path)
        except (tls.SSLCertVerificationError, AssertionError):
            if time.time() < end.timestamp():
                raise
        else:
            break
    else:
        pytest.fail("48 handshakes did not end within 80 seconds")
    while time.time() < end.timestamp() + 1.1:  # OpenSSL counts whole seconds, by a clock that is some ms behind
        time.sleep(0.05)
    return visitors


def test_whose_chain_has_expired_is_refused_again(late_visitors: dict[str, list[Visitor]]) -> None:
    for side, visitors in late_visitors.items():
        for client_context, server_context, session in visitors:
            failure = Pair(client_context, server_context, session=session).until_error()
            assert failure.side == ("server" if side == "client" else "client")
            assert "certificate has expired" in str(failure.error)


@pytest.mark.parametrize("brief", CHAIN)
def test_whoever_was_tolerated_never_resumes(tmp_path: Path, version: Any, brief: str) -> None:
    ends = Ends(tmp_path, version, "client", brief, NOW - dt.timedelta(hours=1))
    client_context, server_context = ends.context("client"), ends.context("server")
    server_context.verify_callback = lambda _, found: found.tolerate(tls.VerifyCode.CERT_HAS_EXPIRED)
    server_context.policy_id = b"late clients are welcome"
    pair = visit(client_context, server_context)
    again = visit(client_context, server_context, pair.client.session)
    assert again.server.session_reused is False
    assert again.server.getpeercert()


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("end", [EPOCH, EPOCH - dt.timedelta(hours=1)], ids=["1970", "1969"])
def test_nor_does_one_whose_chain_ended_long_ago(tmp_path: Path, version: Any, end: dt.datetime, kept: str) -> None:
    ends = Ends(tmp_path, version, "client", "intermediate", end)
    client_context, server_context = ends.context("client"), ends.context("server")
    KEPT[kept](server_context, Cache())
    server_context.verify_callback = lambda _, found: found.tolerate(tls.VerifyCode.CERT_HAS_EXPIRED)
    server_context.policy_id = b"late clients are welcome"
    pair = visit(client_context, server_context)
    assert (pair.server.session.time, pair.server.session.timeout) == (1, 1)
    assert not visit(client_context, server_context, pair.client.session).server.session_reused


def test_a_server_looks_at_the_end_that_is_in_the_session(tmp_path: Path, version: Any) -> None:
    ends = Ends(tmp_path, version, "client", "intermediate")
    client_context, server_context = ends.context("client"), ends.context("server")
    server_context.server_session_cache = cache = Cache()
    pair = visit(client_context, server_context)
    for number, data in cache.held.items():
        kept, past = (int(end.timestamp()).to_bytes(8, "big") for end in (HOUR, NOW - dt.timedelta(hours=1)))
        assert kept in data
        cache.held[number] = data.replace(kept, past)
    assert not visit(client_context, server_context, pair.client.session).server.session_reused


def test_nor_does_a_client_that_tolerates(certificates: Certificates, version: Any) -> None:
    client_context = certificates.client_context(version)
    client_context.check_hostname = False
    client_context.verify_callback = lambda _, found: found.tolerate(tls.VerifyCode.CERT_HAS_EXPIRED)
    server_context = certificates.server_context(version, credentials=certificates.expired)
    session = visit(client_context, server_context).client.session
    assert not visit(client_context, server_context, session).client.session_reused
