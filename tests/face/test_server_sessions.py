"""A server's sessions: how long they last, what they are bound to, and the cache that a program keeps them in."""

from __future__ import annotations

import asyncio
import ssl as standard
import time
from collections.abc import Callable
from typing import Any

import pytest

import wiretight.asyncio
from tests.kit.caches import Cache
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.records import records
from tests.kit.servers import Server
from tests.kit.subject import tls

WEEK = 604_800


@pytest.fixture
def cache(server_context: Any) -> Cache:
    server_context.server_session_cache = Cache()
    return server_context.server_session_cache  # type: ignore[no-any-return]


def visit(client_context: Any, server_context: Any, **options: Any) -> Pair:
    pair = Pair(client_context, server_context, **options)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    assert pair.client.session_reused is pair.server.session_reused
    return pair


def resumes(client_context: Any, server_context: Any, session: Any) -> bool:
    return visit(client_context, server_context, session=session).server.session_reused  # type: ignore[no-any-return]


def wait_two_seconds() -> None:
    """And a little: OpenSSL counts whole seconds."""
    end = time.time() + 2.1
    while time.time() < end:
        time.sleep(0.05)


# Where a server keeps its sessions.
KEPT: dict[str, Callable[[Any], object]] = {
    "in tickets": lambda context: None,
    "in tickets of a ring": lambda context: setattr(context, "ticket_keys", tls.TicketKeys()),
    "in a cache": lambda context: setattr(context, "server_session_cache", Cache()),
    "in memory": lambda context: setattr(context, "options", context.options | tls.OP_NO_TICKET),
}


# --- session_timeout -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", [0, tls.OP_NO_TICKET], ids=["tickets", "numbers"])
@pytest.mark.parametrize("seconds", [60, WEEK])
def test_sessions_last_as_long_as_the_server_wants(
    client_context: Any, server_context: Any, seconds: int, option: int
) -> None:
    assert server_context.session_timeout == 7200.0
    server_context.session_timeout = seconds
    server_context.options |= option
    pair = visit(client_context, server_context)
    assert pair.server.session.timeout == seconds
    assert pair.client.session.ticket_lifetime_hint in (seconds, 0)
    again = visit(client_context, server_context, session=pair.client.session)
    assert again.server.session_reused
    assert again.server.session.timeout == seconds


def test_a_session_that_has_ended_is_not_resumed(client_context: Any, server_context: Any) -> None:
    server_context.session_timeout = 1
    session = visit(client_context, server_context).client.session
    wait_two_seconds()
    assert not resumes(client_context, server_context, session)


def test_a_shorter_time_is_for_the_sessions_that_exist_too(
    certificates: Certificates, version: Any, client_context: Any
) -> None:
    contexts = [certificates.server_context(version) for _ in KEPT]
    for context, keep in zip(contexts, KEPT.values(), strict=True):
        keep(context)
    sessions = [[visit(client_context, context).client.session for _ in range(2)] for context in contexts]
    wait_two_seconds()
    for (first, second), context in zip(sessions, contexts, strict=True):
        context.session_timeout = 60
        assert resumes(client_context, context, first) or context.options & tls.OP_NO_TICKET
        context.session_timeout = 1
        assert not resumes(client_context, context, second)
    assert contexts[0].metrics().resumptions["expired"] == 1


@pytest.mark.parametrize("kept", KEPT)
def test_a_session_of_tls_1_2_gets_no_longer_time_from_those_who_resume_it(
    certificates: Certificates, kept: str
) -> None:
    version = tls.TLSVersion.TLSv1_2
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    KEPT[kept](server_context)
    server_context.session_timeout = 60
    session = visit(client_context, server_context).client.session
    server_context.session_timeout = 600
    if server_context.ticket_keys is not None:
        server_context.ticket_keys.rotate()  # the client gets a new ticket
    for _ in range(2):
        again = visit(client_context, server_context, session=session)
        assert again.server.session_reused
        assert again.server.session.timeout == 60
        session = again.client.session


@pytest.fixture
def stateful_context(certificates: Certificates, version: Any) -> Any:
    context = certificates.server_context(version)
    KEPT["in memory"](context)
    return context


def test_openssls_cache_has_each_session_once(client_context: Any, stateful_context: Any, version: Any) -> None:
    session = visit(client_context, stateful_context).client.session
    made, more = (1, 0) if version is tls.TLSVersion.TLSv1_2 else (stateful_context.num_tickets, 1)
    assert stateful_context.session_stats()["number"] == made
    assert resumes(client_context, stateful_context, session)
    assert stateful_context.session_stats()["hits"] == 1
    assert stateful_context.session_stats()["number"] == made + more


def test_no_session_in_tickets_is_in_openssls_cache(client_context: Any, server_context: Any) -> None:
    visit(client_context, server_context)
    assert server_context.session_stats()["number"] == 0


def test_a_shorter_time_of_a_virtual_host_is_for_its_sessions_too(
    certificates: Certificates, version: Any, client_context: Any, stateful_context: Any
) -> None:
    host = certificates.server_context(version)
    KEPT["in memory"](host)
    stateful_context.sni_callback = lambda connection, *_: setattr(connection, "context", host)
    for change, is_resumed in ((600, False), (7200, True)):
        session = visit(client_context, stateful_context).client.session
        host.session_timeout = change
        assert resumes(client_context, stateful_context, session) is is_resumed


def test_a_connection_from_before_a_shorter_time_leaves_no_session(
    client_context: Any, stateful_context: Any, server_context: Any
) -> None:
    begun = Pair(client_context, stateful_context)
    server_context.session_timeout = 600
    begun.handshake()
    begun.transfer(b"data", begun.server)
    assert stateful_context.session_stats()["number"] == 0
    assert not resumes(client_context, stateful_context, begun.client.session)


def test_nor_does_a_client_that_is_verified_after_it(certificates: Certificates) -> None:
    version = tls.TLSVersion.TLSv1_3
    client_context = certificates.client_context(version, credentials=certificates.client)
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    KEPT["in memory"](server_context)
    pair = visit(client_context, server_context)
    server_context.session_timeout = 600
    pair.server.verify_client_post_handshake()
    for _ in range(2):
        pair.transfer(b"data", pair.server)
        pair.transfer(b"data", pair.client)
    assert pair.server.getpeercert()
    assert not resumes(client_context, server_context, pair.client.session)


def test_what_a_server_shows_of_its_session_stays_as_it_is(certificates: Certificates) -> None:
    version = tls.TLSVersion.TLSv1_3
    client_context = certificates.client_context(version, credentials=certificates.client)
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    pair = visit(client_context, server_context)
    pair.server.verify_client_post_handshake()
    pair.transfer(b"data", pair.server)
    certificate, *rest = (record.raw for record in records(pair.to_server.outgoing.read()))
    pair.to_server.incoming.write(certificate)
    with pytest.raises(tls.SSLWantReadError):
        pair.server.read()
    shown = pair.server.session
    before = shown.id
    pair.to_server.incoming.write(b"".join(rest))
    with pytest.raises(tls.SSLWantReadError):
        pair.server.read()
    assert pair.server.getpeercert()
    assert pair.server.session.id != before
    assert shown.id == before


@pytest.mark.parametrize(("seconds", "is_resumed"), [(30, True), (3600, False)])
def test_a_session_of_a_clock_that_was_far_ahead_is_not_resumed(
    cache: Cache, client_context: Any, server_context: Any, seconds: int, is_resumed: bool
) -> None:
    pair = visit(client_context, server_context)
    last, data = list(cache.held.items())[-1]
    made = pair.server.session.time
    ahead = data.replace(made.to_bytes(4, "big"), (made + seconds).to_bytes(4, "big"))
    assert ahead != data
    cache.held[last] = ahead
    assert resumes(client_context, server_context, pair.client.session) is is_resumed


# --- session_id_context ----------------------------------------------------------------------------------------------
def other_algorithms(context: Any) -> None:
    context.set_ciphers("ECDHE+CHACHA20:ECDHE+AESGCM")
    context.set_groups("P-256:X25519")
    context.set_alpn_protocols(["h2"])


def test_servers_of_one_service_may_have_other_algorithms(client_context: Any, server_context: Any) -> None:
    server_context.session_id_context = b"service"
    session = visit(client_context, server_context).client.session
    other_algorithms(server_context)
    assert resumes(client_context, server_context, session)
    server_context.session_id_context = b"another service"
    assert not resumes(client_context, server_context, session)


@pytest.mark.parametrize(
    "change",
    [
        lambda it, files: it.load_verify_locations(files.other_ca_file),
        lambda it, files: it.load_crls(data=files.crl().der),
        lambda it, _: setattr(it, "verify_mode", tls.CERT_OPTIONAL),
        lambda it, _: setattr(it, "verify_callback", lambda *_: None),
        lambda it, _: it.set_ciphers("DEFAULT:@SECLEVEL=3"),
        lambda it, _: it.set_server_sigalgs("ECDSA+SHA256"),
    ],
    ids=["CA", "CRL", "verify_mode", "verify_callback", "security level", "signatures"],
)
def test_it_lets_no_session_outlive_what_the_client_was_verified_by(
    certificates: Certificates, version: Any, change: Callable[..., Any]
) -> None:
    client_context = certificates.client_context(version, credentials=certificates.client)
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)
    server_context.session_id_context = b"service"
    session = visit(client_context, server_context).client.session
    assert resumes(client_context, server_context, session)
    change(server_context, certificates)
    assert not resumes(client_context, server_context, session)


def test_nor_one_that_was_made_before_certificates_were_asked_for(certificates: Certificates, version: Any) -> None:
    client_context = certificates.client_context(version, credentials=certificates.client)
    server_context = certificates.server_context(version)
    server_context.session_id_context = b"service"
    session = visit(client_context, server_context).client.session
    server_context.load_verify_locations(certificates.ca_file)
    server_context.verify_mode = tls.CERT_REQUIRED
    again = visit(client_context, server_context, session=session)
    assert not again.server.session_reused
    assert again.server.getpeercert()


def test_nor_one_resume_under_another_name(certificates: Certificates, version: Any) -> None:
    client_context = certificates.client_context(version, module=standard)  # which offers a session to any name
    client_context.check_hostname = False
    server_context = certificates.server_context(version)
    server_context.session_id_context = b"service"
    server_context.sni_callback = lambda *_: None
    session = visit(client_context, server_context).client.session
    assert resumes(client_context, server_context, session)
    again = visit(client_context, server_context, session=session, server_hostname="other.example")
    assert not again.server.session_reused


# --- server_session_cache --------------------------------------------------------------------------------------------
def test_sessions_are_in_the_cache_and_not_with_the_client(
    cache: Cache, client_context: Any, server_context: Any
) -> None:
    session = visit(client_context, server_context).client.session
    assert cache.held
    assert cache.expires[-1] == pytest.approx(time.time() + 7200, abs=60)
    if session.is_single_use:
        assert resumes(client_context, server_context, session)
    else:
        assert not session.has_ticket
        assert session.id in cache.held
    cache.held.clear()
    assert (
        not resumes(client_context, server_context, visit(client_context, server_context).client.session) or cache.held
    )
    assert server_context.session_stats()["number"] == 0


def test_a_session_that_was_removed_is_not_resumed(cache: Cache, client_context: Any, server_context: Any) -> None:
    session = visit(client_context, server_context).client.session
    cache.held.clear()
    assert not resumes(client_context, server_context, session)


def test_servers_share_a_cache(
    cache: Cache, certificates: Certificates, version: Any, client_context: Any, server_context: Any
) -> None:
    other = certificates.server_context(version)
    other.server_session_cache = cache
    session = visit(client_context, server_context).client.session
    assert resumes(client_context, other, session)


def test_a_ticket_of_tls_1_3_is_used_once_and_a_session_of_tls_1_2_again(
    cache: Cache, client_context: Any, server_context: Any
) -> None:
    session = visit(client_context, server_context).client.session
    used = [resumes(client_context, server_context, session) for _ in range(3)]
    assert used == ([True, False, False] if session.is_single_use else [True, True, True])


def test_a_ticket_that_somebody_else_removes_first_is_not_accepted(certificates: Certificates) -> None:
    class Raced(Cache):
        def remove(self, id: bytes) -> bool:
            super().remove(id)
            return super().remove(id)

    version = tls.TLSVersion.TLSv1_3
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    server_context.server_session_cache = Raced()
    session = visit(client_context, server_context).client.session
    assert not resumes(client_context, server_context, session)


@pytest.mark.parametrize("method", ["put", "get", "remove"])
def test_a_cache_that_fails_ends_no_connection(
    client_context: Any, server_context: Any, unraisable: list[Any], method: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("the cache is gone")

    broken = Cache()
    setattr(broken, method, fail)
    server_context.server_session_cache = broken
    session = visit(client_context, server_context).client.session
    visited = visit(client_context, server_context, session=session)
    assert visited.server.session_reused is (method == "remove" and not session.is_single_use)
    assert {str(error) for error in unraisable} <= {"the cache is gone"}
    assert unraisable or method == "remove"


@pytest.mark.parametrize("answer", [7, "session", b"", b"session", bytes(1000)], ids=repr)
def test_what_is_no_session_is_not_resumed(
    cache: Cache, client_context: Any, server_context: Any, unraisable: list[Any], answer: Any
) -> None:
    session = visit(client_context, server_context).client.session
    cache.get = lambda _: answer  # type: ignore[method-assign]
    assert not resumes(client_context, server_context, session)
    [error] = unraisable
    assert isinstance(error, (TypeError, ValueError))


def test_a_cache_that_mixes_up_its_numbers_resumes_nothing(
    cache: Cache, client_context: Any, server_context: Any
) -> None:
    one, other = (visit(client_context, server_context).client.session for _ in range(2))
    data = list(cache.held.values())
    mixed = dict(zip(cache.held, reversed(data), strict=True))
    cache.get = mixed.get  # type: ignore[method-assign]
    assert not resumes(client_context, server_context, one)
    assert not resumes(client_context, server_context, other)


@pytest.mark.parametrize(
    "change",
    [
        lambda it, files: it.load_verify_locations(files.other_ca_file),
        lambda it, _: setattr(it, "verify_mode", tls.CERT_OPTIONAL),
    ],
    ids=["CA", "verify_mode"],
)
def test_the_cache_lets_no_session_outlive_what_the_client_was_verified_by(
    certificates: Certificates, version: Any, change: Callable[..., Any]
) -> None:
    client_context = certificates.client_context(version, credentials=certificates.client)
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)
    server_context.server_session_cache = Cache()
    session = visit(client_context, server_context).client.session
    change(server_context, certificates)
    assert not resumes(client_context, server_context, session)


def test_a_session_is_removed_when_its_connection_fails(certificates: Certificates) -> None:
    version = tls.TLSVersion.TLSv1_2
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    server_context.server_session_cache = cache = Cache()
    pair = visit(client_context, server_context)
    assert len(cache.held) == 1
    pair.client.write(b"data")
    record = bytearray(pair.to_server.outgoing.read())
    record[-1] ^= 1
    pair.to_server.incoming.write(record)
    with pytest.raises(tls.SSLError):
        pair.server.read()
    assert not cache.held


def test_a_frozen_server_goes_on_filling_its_cache(cache: Cache, client_context: Any, server_context: Any) -> None:
    server_context.freeze()
    assert resumes(client_context, server_context, visit(client_context, server_context).client.session)


def test_a_copy_has_the_cache_too(cache: Cache, client_context: Any, server_context: Any) -> None:
    session = visit(client_context, server_context).client.session
    assert resumes(client_context, server_context.copy(), session)


def test_without_the_cache_tickets_are_back(cache: Cache, client_context: Any, server_context: Any) -> None:
    server_context.server_session_cache = None
    session = visit(client_context, server_context).client.session
    assert session.has_ticket
    assert not cache.calls
    assert resumes(client_context, server_context, session)


def test_sockets_use_the_cache(cache: Cache, client_context: Any, server_context: Any) -> None:
    client_context.session_store = tls.MemorySessionStore()
    with Server(server_context) as server:
        for expected in (False, True):
            with server.connect(client_context) as client:
                client.sendall(b"data")
                assert client.recv(4) == b"data"
                assert client.session_reused is expected
                client.unwrap()
    assert "get" in cache.calls


@pytest.mark.parametrize("module", [asyncio, wiretight.asyncio], ids=lambda module: module.__name__)
def test_asyncio_servers_use_the_cache(cache: Cache, client_context: Any, server_context: Any, module: Any) -> None:
    client_context.session_store = tls.MemorySessionStore()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        await writer.drain()
        await reader.read()
        writer.close()

    async def run() -> list[bool]:
        server = await module.start_server(echo, "127.0.0.1", 0, ssl=server_context)
        address = server.sockets[0].getsockname()
        reused = []
        for _ in range(2):
            reader, writer = await module.open_connection(*address, ssl=client_context, server_hostname="localhost")
            writer.write(b"data")
            assert await reader.readexactly(4) == b"data"
            reused.append(writer.get_extra_info("ssl_object").session_reused)
            writer.close()
            await writer.wait_closed()
        server.close()
        return reused

    assert asyncio.run(run()) == [False, True]
