"""A client's session store: each connection takes a session of an earlier one, and leaves its own."""

from __future__ import annotations

import gc
import os
import socket
import ssl as standard
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.certificates import HOST
from tests.kit.ids import stable
from tests.kit.pair import Pair, attempt
from tests.kit.servers import Server
from tests.kit.sessions import Recorder
from tests.kit.sockets import handshake, receive_exactly, tls_sockets, tls_transport, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import Task

TLS13 = standard.TLSVersion.TLSv1_3


@pytest.fixture
def store(client_context: Any) -> Recorder:
    client_context.session_store = Recorder()
    return client_context.session_store  # type: ignore[no-any-return]


def resumed(client_context: Any, server_context: Any, **options: Any) -> bool:
    """Whether a connection that reads something, and with it the tickets, resumes."""
    pair = Pair(client_context, server_context, **options)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    assert pair.client.session_reused is pair.server.session_reused
    return pair.client.session_reused  # type: ignore[no-any-return]


def test_the_second_connection_resumes_the_first(store: Recorder, client_context: Any, server_context: Any) -> None:
    assert [resumed(client_context, server_context) for _ in range(5)] == [False, True, True, True, True]
    assert set(store.got) == set(store.asked)
    [key] = set(store.asked)
    assert len(key) == 64


@pytest.mark.parametrize("over", ["BIOs", "a socket", "another connection"])
def test_the_store_is_not_asked_if_the_program_sets_a_session_before_the_handshake(
    certificates: Any, version: Any, store: Recorder, client_context: Any, server_context: Any, over: str
) -> None:
    """So what is used once is not wasted."""
    seen: list[Any] = []
    client_context.new_session_callback = lambda _, session: seen.append(session)

    def connect(session: Any) -> bool:
        if over == "BIOs":
            pair = Pair(client_context, server_context)
            if session:
                pair.client.session = session
            pair.handshake()
            pair.transfer(b"data", pair.server)
            return pair.client.session_reused  # type: ignore[no-any-return]
        transport = tls_transport(certificates.client_context(version), certificates.server_context(version))
        near, far = transport() if over == "another connection" else unix_pair()
        with client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
            if session:
                client.session = session
            with server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server:
                handshake(client, server)
                server.sendall(b"data")
                assert receive_exactly(client, 4) == b"data"
                return client.session_reused  # type: ignore[no-any-return]

    assert not connect(None)
    asked = len(store.asked)
    assert connect(seen[0])
    assert len(store.asked) == asked
    assert connect(None)


def test_a_connection_that_never_shakes_hands_takes_nothing(
    store: Recorder, client_context: Any, server_context: Any
) -> None:
    resumed(client_context, server_context)
    held = len(store.sessions)
    near, far = unix_pair()
    with far, client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client:
        assert client.session is None
    assert len(store.sessions) == held


def test_sockets_resume_over_wrap_and_over_connect(store: Recorder, client_context: Any, server_context: Any) -> None:
    with Server(server_context) as server:
        for i in range(4):
            plain = socket.create_connection(server.address) if i % 2 else socket.socket()
            with client_context.wrap_socket(plain, server_hostname="localhost") as client:
                if not i % 2:
                    client.connect(server.address)
                client.sendall(b"data")
                assert client.recv(4) == b"data"
                assert client.session_reused is (i > 0)
                client.unwrap().close()
    assert len(set(store.asked)) == 1


def test_a_non_blocking_connect_resumes_too(store: Recorder, client_context: Any, server_context: Any) -> None:
    with Server(server_context) as server:
        for i in range(2):
            plain = socket.socket()
            with client_context.wrap_socket(
                plain, server_hostname="localhost", do_handshake_on_connect=False
            ) as client:
                client.setblocking(False)
                client.connect_ex(server.address)
                client.do_handshake(block=True)
                client.setblocking(True)
                client.sendall(b"data")
                assert client.recv(4) == b"data"
                assert client.session_reused is (i > 0)
                client.unwrap().close()


def test_a_ticket_of_tls_1_3_is_offered_once(certificates: Any) -> None:
    client_context, server_context = certificates.client_context(TLS13), certificates.server_context(TLS13)
    server_context.num_tickets = 1
    client_context.session_store = store = Recorder()
    seen = []
    client_context.new_session_callback = lambda _, session: seen.append(session.id)
    assert not resumed(client_context, server_context)
    first, second = Pair(client_context, server_context), Pair(client_context, server_context)
    first.handshake()
    second.handshake()
    assert (first.client.session_reused, second.client.session_reused) == (True, False)
    assert len(store.sessions) == 0
    assert len(seen) == len(set(seen)) == 1


def test_a_session_of_tls_1_2_comes_back_with_the_end_of_the_handshake(certificates: Any) -> None:
    version = standard.TLSVersion.TLSv1_2
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    client_context.session_store = store = Recorder()
    assert not resumed(client_context, server_context)
    assert len(store.sessions) == 1
    pair = Pair(client_context, server_context)
    attempt(pair.client.do_handshake)
    assert len(store.sessions) == 0
    pair.handshake()
    assert pair.client.session_reused
    assert len(store.sessions) == 1


def test_a_session_whose_resumption_failed_is_gone(store: Recorder, client_context: Any, server_context: Any) -> None:
    resumed(client_context, server_context)
    left = len(store.sessions)
    pair = Pair(client_context, server_context)
    with pytest.raises(tls.SSLError):
        pair.handshake(alter=lambda record: record.raw[:-1] + bytes([record.raw[-1] ^ 1]))
    assert len(store.sessions) == left - 1


def test_servers_with_the_same_name_on_two_ports_are_two(
    store: Recorder, client_context: Any, server_context: Any
) -> None:
    with Server(server_context) as one, Server(server_context) as other:
        for server in (one, other):
            plain = socket.create_connection(server.address)
            with client_context.wrap_socket(plain, server_hostname="localhost") as client:
                client.sendall(b"data")
                client.recv(4)
                assert not client.session_reused
                client.unwrap().close()
    assert len(set(store.asked)) == 2


def test_without_a_name_the_address_is_the_key(certificates: Any, version: Any, server_context: Any) -> None:
    context = certificates.client_context(version)
    context.check_hostname = False
    context.session_store = store = Recorder()
    with tls_sockets(context, server_context, server_hostname=None) as (client, server):
        server.sendall(b"data")
        client.recv(4)
    assert set(store.got) == set(store.asked)
    asked = len(store.asked)
    assert asked == 1
    assert not resumed(context, server_context, server_hostname=None)  # over BIOs nobody knows the server
    assert len(store.asked) == asked


def both_cas(files: Any) -> Any:
    return tls.TrustStore([files.ca_file.read_bytes(), files.other_ca_file.read_bytes()])


@pytest.mark.parametrize(
    "change",
    [
        lambda it, files: it.load_verify_locations(files.other_ca_file),
        lambda it, files: setattr(it, "trust_store", both_cas(files)),
        lambda it, _: setattr(it, "check_hostname", False),
        lambda it, _: setattr(it, "verify_flags", it.verify_flags ^ tls.VERIFY_X509_STRICT),
        lambda it, _: setattr(it, "verify_callback", lambda *_: None),
        lambda it, files: it.load_cert_chain(*files.client),
        lambda it, _: it.set_ciphers("ECDHE+CHACHA20"),
        lambda it, _: it.set_alpn_protocols(["h2"]),
    ],
    ids=["CA", "trust_store", "check_hostname", "verify_flags", "verify_callback", "own chain", "ciphers", "ALPN"],
)
def test_no_session_outlives_what_it_was_verified_by(
    store: Recorder, client_context: Any, server_context: Any, certificates: Any, change: Callable[..., Any]
) -> None:
    resumed(client_context, server_context)
    assert resumed(client_context, server_context)
    change(client_context, certificates)
    assert not resumed(client_context, server_context)
    assert resumed(client_context, server_context)


def test_a_context_that_verifies_nothing_does_not_feed_one_that_does(
    certificates: Any, version: Any, server_context: Any
) -> None:
    store = Recorder()
    careless, careful = certificates.client_context(version), certificates.client_context(version)
    careless.check_hostname = False
    careless.verify_mode = tls.CERT_NONE
    careless.session_store = careful.session_store = store
    assert [resumed(careless, server_context) for _ in range(2)] == [False, True]
    assert not resumed(careful, server_context)


def test_a_session_that_was_passed_is_used_and_the_store_gets_the_new_ones(
    store: Recorder, client_context: Any, server_context: Any
) -> None:
    pair = Pair(client_context, server_context)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    before = len(store.asked), len(store.got)
    assert resumed(client_context, server_context, session=pair.client.session)
    assert len(store.asked) == before[0]
    assert len(store.got) > before[1]


@pytest.mark.parametrize("method", ["put", "take"])
def test_a_store_that_fails_ends_no_connection(
    client_context: Any, server_context: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    class Broken(Recorder):
        pass

    def fail(*_: Any) -> None:
        raise OSError("the store is gone")

    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda event: reported.append(event.exc_value))
    setattr(Broken, method, fail)
    client_context.session_store = Broken()
    assert not resumed(client_context, server_context)
    assert not resumed(client_context, server_context)
    assert {str(error) for error in reported} == {"the store is gone"}


@pytest.mark.parametrize("answer", [7, b"session", "session", object()], ids=stable)
def test_what_is_no_session_is_not_offered(
    client_context: Any, server_context: Any, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    class Wrong(Recorder):
        def take(self, key: str) -> Any:
            return answer

    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda event: reported.append(event.exc_value))
    client_context.session_store = Wrong()
    assert not resumed(client_context, server_context)
    [error] = reported
    assert isinstance(error, TypeError)
    assert "SSLSession" in str(error)


def test_a_store_that_mixes_up_its_keys_resumes_nothing(
    client_context: Any, server_context: Any, certificates: Any
) -> None:
    class Mixed(Recorder):
        def put(self, key: str, session: Any) -> None:
            super().put("", session)

        def take(self, key: str) -> Any:
            return super().take("")

    client_context.session_store = Mixed()
    resumed(client_context, server_context)
    client_context.load_verify_locations(certificates.other_ca_file)
    assert not resumed(client_context, server_context)


def test_the_store_may_use_the_connection_that_calls_it(client_context: Any, server_context: Any) -> None:
    seen: list[Any] = []
    pairs: list[Pair] = []

    class Curious(Recorder):
        def put(self, key: str, session: Any) -> None:
            client = pairs[0].client
            with pytest.raises(ValueError, match="callback"):
                client.read(1)
            super().put(key, session)
            seen.append(client.server_hostname)

    client_context.session_store = Curious()
    pairs.append(Pair(client_context, server_context))
    pairs[0].handshake()
    pairs[0].transfer(b"data", pairs[0].server)
    assert len(seen) == len(client_context.session_store.got) > 0
    assert set(seen) == {"localhost"}


def test_new_session_callback_gets_each_session_with_its_connection(client_context: Any, server_context: Any) -> None:
    seen: list[Any] = []
    client_context.new_session_callback = lambda connection, session: seen.append((connection, session))
    pair = Pair(client_context, server_context)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    assert {connection for connection, _ in seen} == {pair.client}
    assert len(seen) == (server_context.num_tickets if pair.client.version() == "TLSv1.3" else 1)
    for _, session in seen[:]:
        assert session.expires > session.time > 1_500_000_000
        assert session.is_single_use is (pair.client.version() == "TLSv1.3")
        assert resumed(client_context, server_context, session=session)


def test_what_new_session_callback_raises_is_raised_by_the_verb(client_context: Any, server_context: Any) -> None:
    def refuse(*_: Any) -> None:
        raise LookupError("no more sessions")

    client_context.new_session_callback = refuse
    with pytest.raises(LookupError, match="no more sessions"):
        resumed(client_context, server_context)


def test_a_session_expires_with_the_certificate_of_its_server(certificates: Any, version: Any) -> None:
    seen: list[Any] = []
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    client_context.new_session_callback = lambda _, session: seen.append(session)
    pair = Pair(client_context, server_context)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    [certificate, *_] = pair.client.get_verified_chain()
    end = standard.cert_time_to_seconds(pair.client.getpeercert()["notAfter"])
    session = seen[-1]
    assert session.expires == min(session.time + min(session.timeout, session.ticket_lifetime_hint), end)
    assert certificate


def test_a_session_without_a_ticket_yet_has_expired(certificates: Any) -> None:
    pair = Pair(certificates.client_context(TLS13), certificates.server_context(TLS13))
    pair.handshake()
    assert pair.client.session.expires == 0.0


def test_a_context_without_a_store_keeps_nothing(client_context: Any, server_context: Any) -> None:
    assert client_context.session_store is client_context.new_session_callback is None
    client_context.session_store = tls.MemorySessionStore()
    client_context.session_store = None
    assert [resumed(client_context, server_context) for _ in range(2)] == [False, False]


def test_a_connection_keeps_the_store_that_its_context_had(client_context: Any, server_context: Any) -> None:
    client_context.session_store = first = tls.MemorySessionStore()
    pair = Pair(client_context, server_context)
    client_context.session_store = second = tls.MemorySessionStore()
    pair.handshake()
    pair.transfer(b"data", pair.server)
    assert (len(first) > 0, len(second)) == (True, 0)


def test_a_copy_shares_the_store_until_it_verifies_otherwise(
    store: Recorder, client_context: Any, server_context: Any
) -> None:
    resumed(client_context, server_context)
    copied = client_context.copy()
    assert copied.session_store is store
    assert resumed(copied, server_context)
    copied.check_hostname = False
    assert [resumed(copied, server_context) for _ in range(2)] == [False, True]


def test_a_frozen_context_goes_on_filling_its_store(client_context: Any, server_context: Any) -> None:
    client_context.session_store = store = tls.MemorySessionStore()
    client_context.freeze()
    assert [resumed(client_context, server_context) for _ in range(2)] == [False, True]
    assert len(store) > 0


# --- MemorySessionStore -----------------------------------------------------------------------------------------------


@pytest.fixture
def session(pair: Pair) -> Any:
    pair.handshake()
    pair.transfer(b"data", pair.server)
    return pair.client.session


def test_the_newest_session_is_taken_first(client_context: Any, server_context: Any) -> None:
    seen: list[Any] = []
    client_context.new_session_callback = lambda _, session: seen.append(session)
    store = tls.MemorySessionStore()
    for _ in range(3):
        resumed(client_context, server_context)
    for session in seen:
        store.put("key", session)
    assert [store.take("key") for _ in seen] == seen[::-1]
    assert store.take("key") is None
    assert len(store) == 0


def test_what_was_used_last_stays(session: Any) -> None:
    store = tls.MemorySessionStore(capacity=3)
    for key in ("a", "b", "c", "a", "d", "e"):
        store.put(key, session)
    assert len(store) == 3
    assert [key for key in "abcde" if store.take(key) is not None] == ["a", "d", "e"]


def test_one_server_gets_no_more_than_its_share(session: Any) -> None:
    store = tls.MemorySessionStore(capacity=100)
    for _ in range(50):
        store.put("one", session)
    store.put("other", session)
    assert len(store) == 17


def test_all_sessions_are_forgotten(session: Any) -> None:
    store = tls.MemorySessionStore()
    store.put("key", session)
    store.clear()
    assert (len(store), store.take("key")) == (0, None)
    store.put("key", session)
    assert store.take("key") is session


def test_a_child_leaves_the_tickets_of_its_parent_to_it(certificates: Any, version: Any) -> None:
    """Those of TLS 1.3: each is used once."""
    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    client_context.session_store = tls.MemorySessionStore()
    resumed(client_context, server_context)
    child = os.fork()
    if child == 0:
        os._exit(sum(2**i * resumed(client_context, server_context) for i in range(2)))
    seen = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert seen == (0b10 if version == TLS13 else 0b11)
    assert resumed(client_context, server_context)


def test_nor_does_it_offer_them_from_a_store_of_the_programs_own(certificates: Any, version: Any) -> None:
    class Shelf:
        """Knows of no fork()."""

        def __init__(self) -> None:
            self.kept: list[Any] = []
            self.taken = 0

        def put(self, key: str, session: Any) -> None:
            self.kept.append(session)

        def take(self, key: str) -> Any:
            if not self.kept:
                return None
            self.taken += 1
            return self.kept.pop()

    client_context, server_context = certificates.client_context(version), certificates.server_context(version)
    client_context.session_store = store = Shelf()
    resumed(client_context, server_context)
    child = os.fork()
    if child == 0:
        first = resumed(client_context, server_context)
        os._exit(first + 2 * resumed(client_context, server_context) + 4 * (store.taken > 0))
    seen = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert seen == (0b110 if version == TLS13 else 0b111)
    assert resumed(client_context, server_context)


def test_a_store_that_its_context_holds_is_freed_with_it(certificates: Any, version: Any, server_context: Any) -> None:
    context = certificates.client_context(version)
    context.session_store = tls.MemorySessionStore()
    resumed(context, server_context)
    freed = weakref.ref(context)
    del context
    gc.collect()
    assert freed() is None


def test_threads_share_a_store(client_context: Any, server_context: Any) -> None:
    client_context.session_store = store = tls.MemorySessionStore(capacity=20)

    def connect() -> int:
        return sum(resumed(client_context, server_context) for _ in range(25))

    tasks = [Task(connect) for _ in range(8)]
    assert sum(task.result() for task in tasks) > 0
    assert 0 < len(store) <= 20
