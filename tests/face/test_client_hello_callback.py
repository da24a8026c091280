"""client_hello_callback: what a server answers with is decided by all that the client has said."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import wiretight
from tests.incidents.processes import Child, forks
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair, attempt
from tests.kit.servers import Server
from tests.kit.sockets import NON_BLOCKING, WITH_TIMEOUT, connect, tcp_pair, tls_sockets
from wiretight import PENDING, ClientHello, Credential, SSLWantCallbackError


@pytest.fixture
def server(certificates: Certificates, version: Any) -> Any:
    return certificates.server_context(version, alpn=["h2"])


@pytest.fixture
def client(certificates: Certificates, version: Any) -> Any:
    return certificates.client_context(version, alpn=["h2", "http/1.1"])


@pytest.fixture
def other(certificates: Certificates, version: Any) -> Any:
    """A context with another certificate for the same name."""
    return certificates.server_context(version, credentials=certificates.server_of_other_ca)


def retrying(client: Any, server: Any) -> None:
    """Has the server ask for another ClientHello."""
    client.set_groups("X25519:P-256")
    server.set_groups("P-256")


# --- What it gets -----------------------------------------------------------------------------------------------------
def test_it_gets_the_connection_and_all_of_the_hello(client: Any, server: Any) -> None:
    calls: list[tuple[Any, ClientHello]] = []
    server.client_hello_callback = lambda *args: calls.append(args)
    pair = Pair(client, server)
    attempt(pair.client.do_handshake)
    sent = wiretight.parse_client_hello(flight := pair.to_server.outgoing.read())
    pair.to_server.incoming.write(flight)
    pair.handshake()

    ((connection, hello),) = calls
    assert connection is pair.server
    assert hello == sent
    assert (hello.server_name, hello.alpn_protocols) == (HOST, ("h2", "http/1.1"))
    assert not hello.is_retry


def test_it_sees_what_openssl_does_not_know(certificates: Certificates, server: Any) -> None:
    """A handshake is over here: the client has signed another ClientHello. The callback has seen this one."""
    seen: list[ClientHello] = []
    server.client_hello_callback = lambda _, hello: seen.append(hello)
    pair = Pair(certificates.client_context(), server)
    attempt(pair.client.do_handshake)
    record = bytearray(pair.to_server.outgoing.read())
    extensions = 5 + 4 + 2 + 32 + 1 + record[43]
    extensions += 2 + int.from_bytes(record[extensions : extensions + 2], "big")
    extensions += 1 + record[extensions]
    unknown = b"\xfa\xfa\0\1x"
    record[extensions + 2 : extensions + 2] = unknown
    for at, size in ((3, 2), (6, 3), (extensions, 2)):
        record[at : at + size] = (int.from_bytes(record[at : at + size], "big") + len(unknown)).to_bytes(size, "big")
    pair.to_server.incoming.write(record)
    attempt(pair.server.do_handshake)

    assert seen[0].extensions[0] == 0xFAFA
    assert seen[0].bodies[0xFAFA] == b"x"


def test_beside_a_message_callback_both_are_called(client: Any, server: Any) -> None:
    seen: list[Any] = []
    server.client_hello_callback = lambda _, hello: seen.append(hello.raw)
    server.message_callback = lambda *args: seen.append(args[-1])
    Pair(client, server).handshake()

    assert any(seen.count(raw) == 2 for raw in seen if raw[:1] == b"\x01")


@pytest.mark.parametrize("mode", [WITH_TIMEOUT, NON_BLOCKING], ids=str)
def test_sockets_call_it_too(client: Any, server: Any, mode: Any) -> None:
    calls: list[Any] = []
    server.client_hello_callback = lambda *args: calls.append(args)
    with tls_sockets(client, server, mode=mode) as (_, end):
        assert calls[0][0] is end
        assert calls[0][1].server_name == HOST


# --- What it chooses --------------------------------------------------------------------------------------------------
def test_it_chooses_a_context(client: Any, server: Any, other: Any, certificates: Certificates) -> None:
    server.client_hello_callback = lambda *_: other
    client.load_verify_locations(certificates.other_ca_file)
    pair = Pair(client, server)
    pair.handshake()

    assert pair.server.context is other
    assert pair.client.get_unverified_chain()[0] == leaf(other)
    assert pair.client.selected_alpn_protocol() is None


def leaf(context: Any) -> bytes:
    return bytes(context.credentials[0].certificates[0].der())


def test_it_chooses_a_credential(client: Any, server: Any, other: Any, certificates: Certificates) -> None:
    (credential,) = other.credentials
    server.client_hello_callback = lambda *_: credential
    client.load_verify_locations(certificates.other_ca_file)
    pair = Pair(client, server)
    pair.handshake()

    assert pair.server.context is server
    assert pair.client.get_unverified_chain()[0] == leaf(other)
    assert pair.client.selected_alpn_protocol() == "h2"
    assert server.credentials != (credential,)


def test_a_chosen_context_does_not_make_the_server_less_strict(
    client: Any, other: Any, certificates: Certificates, version: Any
) -> None:
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    server.client_hello_callback = lambda *_: other
    client.load_verify_locations(certificates.other_ca_file)
    failure = Pair(client, server).until_error()

    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(failure.error)


def test_the_sni_callback_of_the_chosen_context_follows(client: Any, server: Any, other: Any) -> None:
    calls: list[str] = []
    server.sni_callback = lambda *_: calls.append("of the first")
    other.sni_callback = lambda *_: calls.append("of the chosen")
    other.client_hello_callback = lambda *_: calls.append("again")
    server.client_hello_callback = lambda *_: (calls.append("hello"), other)[1]
    Pair(client, server).until_error()

    assert calls == ["hello", "of the chosen"]


def test_a_second_hello_is_for_the_chosen_context(certificates: Certificates) -> None:
    client, server, chosen = certificates.client_context(), *(certificates.server_context() for _ in range(2))
    calls: list[Any] = []
    server.client_hello_callback = lambda _, hello: (calls.append(("first", hello.is_retry)), chosen)[1]
    chosen.client_hello_callback = lambda _, hello: calls.append(("chosen", hello.is_retry, hello.groups))
    retrying(client, chosen)
    Pair(client, server).handshake()

    assert [call[:2] for call in calls] == [("first", False), ("chosen", True)]


def test_the_context_of_sni_callback_gets_the_second_hello_as_a_retry(certificates: Certificates) -> None:
    client, server, chosen = certificates.client_context(), *(certificates.server_context() for _ in range(2))
    calls: list[bool] = []
    server.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    chosen.client_hello_callback = lambda _, hello: calls.append(hello.is_retry)
    for context in (server, chosen):
        context.set_groups("P-256")
    client.set_groups("X25519:P-256")
    Pair(client, server).handshake()

    assert calls == [True]


def test_a_context_that_is_assigned_before_a_decision_is_a_choice(certificates: Certificates, version: Any) -> None:
    strict = certificates.server_context(version, client_ca=certificates.ca_file)
    server = certificates.server_context(version)
    answers: list[Any] = [PENDING, None]
    server.client_hello_callback = lambda *_: answers.pop(0)
    pair = Pair(certificates.client_context(version), server)
    attempt(pair.client.do_handshake)
    pair.pump()
    with pytest.raises(SSLWantCallbackError):
        pair.server.do_handshake()
    pair.server.context = strict
    failure = pair.until_error()
    assert failure.side == "server"
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(failure.error)


def shaken(pair: Pair) -> Any:
    pair.handshake()
    return pair.client


def test_a_session_is_bound_to_the_name_that_was_seen(certificates: Certificates) -> None:
    """Without a sni_callback, too: a choice by name must not be resumed where nobody chooses."""
    server = certificates.server_context(wiretight.TLSVersion.TLSv1_2)
    server.client_hello_callback = lambda *_: None
    client = certificates.client_context(wiretight.TLSVersion.TLSv1_2)
    client.check_hostname = False
    first = Pair(client, server)
    first.handshake()
    same = Pair(client, server, session=first.client.session)
    same.handshake()
    assert same.client.session_reused
    server.client_hello_callback = None
    assert not shaken(Pair(client, server, session=first.client.session)).session_reused


# --- How it fails -----------------------------------------------------------------------------------------------------
class Refused(Exception):
    def __init__(self, alert: Any) -> None:
        super().__init__(alert)
        self.alert = alert


def raising(error: BaseException) -> Callable[..., Any]:
    def callback(*_: Any) -> Any:
        raise error

    return callback


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (wiretight.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, 112), (49, 49), (120, 120),
        (255, 80), (0, 80), (256, 80), (-1, 80), (None, 80), ("49", 80),
    ],
)  # fmt: skip
def test_what_it_raises_chooses_the_alert(client: Any, server: Any, asked: Any, sent: int) -> None:
    error = Refused(asked)
    server.client_hello_callback = raising(error)
    failure = Pair(client, server).until_error()

    assert failure.side == "server"
    raised: Any = failure.error
    assert raised.__context__ is error
    assert (raised.alert, raised.alert_sent) == (sent, True)
    assert failure.peer_error is not None
    assert getattr(failure.peer_error, "alert", sent) == sent


@pytest.mark.parametrize("answer", [0, "localhost", object(), lambda: None], ids=lambda answer: type(answer).__name__)
def test_another_answer_is_a_type_error(client: Any, server: Any, answer: Any) -> None:
    server.client_hello_callback = lambda *_: answer
    failure = Pair(client, server).until_error()

    assert isinstance(failure.error.__context__, TypeError)
    assert "must return an SSLContext or a Credential of wiretight, None or PENDING" in str(failure.error.__context__)


def test_a_context_of_a_client_is_none_of_a_server(client: Any, server: Any) -> None:
    server.client_hello_callback = lambda *_: client
    failure = Pair(client, server).until_error()

    assert "a context for servers" in str(failure.error.__context__)


def test_a_malformed_hello_is_refused_without_a_call(client: Any, server: Any) -> None:
    server.client_hello_callback = raising(AssertionError("it was called"))
    pair = Pair(client, server)
    attempt(pair.client.do_handshake)
    record = pair.to_server.outgoing.read()
    pair.to_server.incoming.write(record.replace(b"\x02h2\x08http/1.1", b"\x02h2\x00ttp/1.1\x00"[:12]))
    with pytest.raises(wiretight.SSLError) as caught:
        pair.server.do_handshake()

    assert isinstance(caught.value.__context__, ValueError)
    assert caught.value.alert == 50


def test_it_keeps_nothing_alive(client: Any, server: Any) -> None:
    kept: list[Any] = []
    server.client_hello_callback = lambda connection, hello: kept.extend(map(weakref.ref, (connection, hello)))
    Pair(client, server).handshake()
    gc.collect()

    assert [reference() for reference in kept] == [None, None]


# --- PENDING ----------------------------------------------------------------------------------------------------------
class Deciding:
    """A callback that is pending until `answer` is set."""

    def __init__(self) -> None:
        self.hellos: list[ClientHello] = []
        self.answer: Any = PENDING

    def __call__(self, _: Any, hello: ClientHello) -> Any:
        self.hellos.append(hello)
        return self.answer


def suspended(pair: Pair) -> None:
    """Until the server has to wait for its callback."""
    attempt(pair.client.do_handshake)
    pair.pump()
    with pytest.raises(SSLWantCallbackError) as caught:
        pair.server.do_handshake()
    assert caught.value.errno == 11
    assert not isinstance(caught.value, (wiretight.SSLWantReadError, wiretight.SSLWantWriteError))


@pytest.mark.parametrize("verb", ["do_handshake", "read", "write"])
def test_a_verb_waits_for_the_decision(client: Any, server: Any, verb: str) -> None:
    server.client_hello_callback = decision = Deciding()
    pair = Pair(client, server)
    suspended(pair)
    for _ in range(2):
        with pytest.raises(SSLWantCallbackError):
            getattr(pair.server, verb)(*[b"x"] * (verb == "write"))
    assert pair.to_client.outgoing.pending == 0
    assert len({id(hello) for hello in decision.hellos}) == 1
    decision.answer = None
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"


def test_a_pending_choice_takes_effect(client: Any, server: Any, other: Any, certificates: Certificates) -> None:
    server.client_hello_callback = decision = Deciding()
    client.load_verify_locations(certificates.other_ca_file)
    pair = Pair(client, server)
    suspended(pair)
    decision.answer = other
    pair.handshake()
    assert pair.server.context is other


def test_each_of_two_hellos_may_be_pending(certificates: Certificates) -> None:
    client, server = certificates.client_context(), certificates.server_context()
    retrying(client, server)
    server.client_hello_callback = decision = Deciding()
    pair = Pair(client, server)
    suspended(pair)
    decision.answer = None
    with pytest.raises(wiretight.SSLWantReadError):
        pair.server.do_handshake()
    decision.answer = PENDING
    pair.pump()
    attempt(pair.client.do_handshake)
    suspended(pair)
    assert [hello.is_retry for hello in decision.hellos] == [False, False, True]
    decision.answer = None
    pair.handshake()


def test_a_pending_decision_may_fail(client: Any, server: Any) -> None:
    server.client_hello_callback = Deciding()
    pair = Pair(client, server)
    suspended(pair)
    server.client_hello_callback = None  # of later connections
    with pytest.raises(SSLWantCallbackError):
        pair.server.do_handshake()


def test_suspended_and_then_the_peer_goes(client: Any, server: Any) -> None:
    server.client_hello_callback = decision = Deciding()
    pair = Pair(client, server)
    suspended(pair)
    pair.to_server.incoming.write_eof()
    with pytest.raises(SSLWantCallbackError):
        pair.server.do_handshake()
    decision.answer = None
    with pytest.raises(wiretight.SSLEOFError):
        pair.server.do_handshake()


def non_blocking(client: Any, server: Any) -> tuple[Any, Any]:
    """Two sockets, the server's suspended."""
    near, far = tcp_pair()
    for sock in (near, far):
        sock.setblocking(False)
    ours = client.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False)
    theirs = server.wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    attempt(ours.do_handshake)
    while True:
        try:
            theirs.do_handshake()
        except wiretight.SSLWantReadError:
            continue
        except SSLWantCallbackError:
            return ours, theirs


def test_suspended_and_then_the_socket_is_closed(client: Any, server: Any) -> None:
    server.client_hello_callback = Deciding()
    ours, theirs = non_blocking(client, server)
    with ours:
        theirs.close()
        with pytest.raises((OSError, ValueError)):
            theirs.do_handshake()


def test_suspended_and_then_a_timeout_makes_the_socket_blocking(client: Any, server: Any) -> None:
    server.client_hello_callback = Deciding()
    ours, theirs = non_blocking(client, server)
    with ours, theirs:
        theirs.settimeout(1)
        with pytest.raises(wiretight.SSLError) as caught:
            theirs.do_handshake()
        assert isinstance(caught.value.__context__, TypeError)


@forks
def test_suspended_and_then_a_fork(client: Any, server: Any) -> None:
    """Parent and child have a connection each, as after any fork: whoever goes on has it."""
    server.client_hello_callback = decision = Deciding()
    pair = Pair(client, server)
    suspended(pair)

    def go_on() -> None:
        decision.answer = None
        pair.handshake()
        assert pair.transfer(b"data", pair.client) == b"data"

    assert Child(go_on).succeeded()
    go_on()


@pytest.mark.parametrize("mode", [WITH_TIMEOUT], ids=str)
@pytest.mark.parametrize("kind", ["pending", "coroutine"])
def test_on_a_blocking_socket_it_just_waits(client: Any, server: Any, mode: Any, kind: str) -> None:
    async def later(*_: Any) -> None: ...

    server.client_hello_callback = later if kind == "coroutine" else lambda *_: PENDING
    with Server(server, errors_ok=True) as listening:
        with pytest.raises(wiretight.SSLError) as caught:
            connect(client, listening.address, mode=mode)
        assert caught.value.alert == 80
        error = listening.next_error()
    assert isinstance(error.__context__, TypeError)


def test_nobody_awaits_a_coroutine_for_an_object(client: Any, server: Any) -> None:
    async def later(*_: Any) -> None: ...

    server.client_hello_callback = later
    failure = Pair(client, server).until_error()
    assert "nobody awaits client_hello_callback here" in str(failure.error.__context__)


def test_a_weak_credential_is_refused(client: Any, server: Any, other: Any) -> None:
    server.set_ciphers("DEFAULT:@SECLEVEL=5")
    (credential,) = other.credentials
    assert isinstance(credential, Credential)
    server.client_hello_callback = lambda *_: credential
    failure = Pair(client, server).until_error()
    assert isinstance(failure.error.__context__ or failure.error, wiretight.SSLError)
