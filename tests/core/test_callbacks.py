"""Whatever a callback does, the handshake fails closed, the exception is reported, and memory stays sound.

The same under AddressSanitizer: scripts/check --asan tests/core/test_callbacks.py
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.incidents.references import reference
from tests.kit.certificates import HOST, Certificates, Credentials
from tests.kit.deliveries import shut
from tests.kit.ids import stable
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import tcp_pair, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

pytestmark = reference("Python, ssl.SSLContext.sni_callback")

KEY = b"0123456789abcdef"


class Bang(Exception):
    """What a callback raises."""


class BigBang(BaseException):
    """What a callback raises that is not even an Exception."""


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The exceptions that sys.unraisablehook got."""
    values: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda report: values.append(report.exc_value))
    return values


# --- What callbacks do ------------------------------------------------------------------------------------------------


class Situation(NamedTuple):
    """What a callback can reach: the pair, and a context to switch to."""

    pair: Pair
    other: Any
    raised: list[BaseException]


def raises(here: Situation) -> None:
    raise Bang


def raises_base(here: Situation) -> None:
    raise BigBang


def collects(here: Situation) -> None:
    gc.collect()


def drops(here: Situation) -> None:
    """The last references to both sides and their BIOs, but for those of the call itself."""
    here.pair.__dict__.clear()
    gc.collect()


def re_enters(here: Situation) -> None:
    side = here.pair.server
    for operation in (side.do_handshake, side.read, lambda: side.write(b"x"), side.unwrap):
        try:
            operation()
        except ValueError as error:
            here.raised.append(error)


def asks(here: Situation) -> None:
    side = here.pair.server
    for question in (side.version, side.cipher, side.pending, side.selected_alpn_protocol, side.shared_ciphers):
        question()
    with contextlib.suppress(ValueError):
        side.getpeercert()
    assert side.session is None or side.session.id is not None


def switches(here: Situation) -> None:
    here.pair.server.context = here.other


def replaces_callbacks(here: Situation) -> None:
    context = here.pair.server.context
    context.sni_callback = None
    context._msg_callback = None
    context.set_psk_server_callback(None)
    gc.collect()


def reconfigures(here: Situation) -> None:
    context = here.pair.server.context
    context.set_ciphers("ALL")
    context.set_alpn_protocols(["x"])
    context.verify_flags |= tls.VERIFY_X509_STRICT


HARMLESS = [collects, re_enters, asks, switches, replaces_callbacks, reconfigures]

WRONG: list[Any] = ["text", b"bytes", 1.5, [], {}, object(), tls.SSLContext, -1, 256, 2**80]


# --- The name ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def other(certificates: Certificates, version: Any) -> Any:
    return certificates.server_context(version)


def calling(server_context: Any, client_context: Any, other: Any, action: Callable[..., Any]) -> Situation:
    """A pair whose server's callback for the name does it."""
    server_context.sni_callback = lambda side, name, context: action(here)
    here = Situation(Pair(client_context, server_context), other, [])
    return here


@reference("python/cpython#146080")
@pytest.mark.parametrize("action", [raises, raises_base])
def test_an_sni_callback_that_raises_ends_the_handshake(
    server_context: Any, client_context: Any, other: Any, reports: list[Any], action: Callable[..., Any]
) -> None:
    here = calling(server_context, client_context, other, action)
    failure = here.pair.until_error()
    assert failure.side == "server"
    assert failure.error.reason == "CALLBACK_FAILED"
    assert "HANDSHAKE_FAILURE" in str(failure.peer_error)
    assert [type(report) for report in reports] == [Bang if action is raises else BigBang]


@pytest.mark.parametrize("answer", WRONG, ids=stable)
def test_an_invalid_result_of_an_sni_callback_ends_the_handshake(
    server_context: Any, client_context: Any, reports: list[Any], answer: Any
) -> None:
    server_context.sni_callback = lambda side, name, context: answer
    failure = Pair(client_context, server_context).until_error()
    assert failure.side == "server"
    assert failure.error.reason == "CALLBACK_FAILED"
    assert "INTERNAL_ERROR" in str(failure.peer_error)
    (report,) = reports
    assert isinstance(report, (TypeError, OverflowError))


@reference("RFC 8446, 6.2")
@pytest.mark.parametrize(
    ("number", "name"), [(40, "HANDSHAKE_FAILURE"), (49, "ACCESS_DENIED"), (112, "UNRECOGNIZED_NAME")]
)
def test_an_sni_callback_chooses_the_alert(
    server_context: Any, client_context: Any, reports: list[Any], number: int, name: str
) -> None:
    server_context.sni_callback = lambda side, name, context: number
    failure = Pair(client_context, server_context).until_error()
    assert failure.side == "server"
    assert name in str(failure.peer_error)
    assert not reports


@reference("python/cpython#146080", "python/cpython#149816")
@pytest.mark.parametrize("action", HARMLESS)
def test_an_sni_callback_may_do_this(
    server_context: Any, client_context: Any, other: Any, reports: list[Any], action: Callable[..., Any]
) -> None:
    here = calling(server_context, client_context, other, action)
    here.pair.handshake()
    assert here.pair.transfer(b"data", here.pair.client) == b"data"
    assert here.pair.transfer(b"data", here.pair.server) == b"data"
    assert not reports
    assert len(here.raised) == (4 if action is re_enters else 0)
    assert all("return" in str(error) for error in here.raised), "the message says when it may be called"
    assert (here.pair.server.context is other) is (action is switches)


@reference("python/cpython#146080")
def test_an_sni_callback_may_drop_the_last_reference(
    server_context: Any, client_context: Any, other: Any, reports: list[Any]
) -> None:
    here = calling(server_context, client_context, other, drops)
    with pytest.raises(tls.SSLWantReadError):
        here.pair.client.do_handshake()
    here.pair.pump()
    server = here.pair.server
    with pytest.raises(tls.SSLWantReadError):
        server.do_handshake()
    assert not reports


@reference("python/cpython#146080")
def test_the_owner_may_be_freed_before_the_callback_is_called(
    server_context: Any, client_context: Any, reports: list[Any]
) -> None:
    """Only the native connection is left, as in a program that keeps that: without an owner, the client is rejected."""
    server_context.sni_callback = lambda side, name, context: None
    pair = Pair(client_context, server_context)
    with pytest.raises(tls.SSLWantReadError):
        pair.client.do_handshake()
    pair.pump()
    below = pair.server._sslobj
    del pair
    gc.collect()
    with pytest.raises(tls.SSLError, match="CALLBACK_FAILED"):
        below.do_handshake()
    assert not reports


# Its number is gone, or its peer.
ENDED = "|".join([*map(os.strerror, (errno.EBADF, errno.EPIPE, errno.ECONNRESET)), "EOF"])

LETTING_GO: list[Callable[[Any], Any]] = [
    lambda sock: sock.close(),
    lambda sock: socket.close(sock.detach()),
    shut,
    lambda sock: sock.shutdown(socket.SHUT_RDWR),
]


@pytest.mark.parametrize("transport", [tcp_pair, unix_pair])
@pytest.mark.parametrize("let_go", LETTING_GO, ids=["close", "detach", "shut", "shutdown"])
@reference("python/cpython#146080")
def test_an_sni_callback_may_close_its_socket(
    server_context: Any, client_context: Any, reports: list[Any], transport: Any, let_go: Callable[[Any], Any]
) -> None:
    server_context.sni_callback = lambda sock, name, context: let_go(sock)
    near, far = transport()
    with server_context.wrap_socket(near, server_side=True, do_handshake_on_connect=False) as server:
        with client_context.wrap_socket(far, server_hostname=HOST, do_handshake_on_connect=False) as client:
            client.settimeout(PATIENCE)
            shaking = Task(client.do_handshake)
            with pytest.raises(OSError, match=ENDED):
                server.do_handshake()
            with pytest.raises((OSError, ValueError)):
                server.send(b"x")
            with pytest.raises(OSError, match=r"."):
                shaking.result()
    assert not reports


def test_an_sni_callback_may_query_its_own_connection(client_context, server_context):
    answers = []

    def callback(side: Any, name: str, context: Any) -> None:
        answers.append((name, side.version(), side.pending(), side.cipher(), side.server_side, side.context is context))

    server_context.sni_callback = callback
    pair = Pair(client_context, server_context)
    pair.handshake()
    ((name, version, pending, _, server_side, same),) = answers
    assert (name, version, pending, server_side, same) == (HOST, None, 0, True, True)


def test_a_callback_that_closes_its_socket_never_touches_a_reused_descriptor(client_context, server_context, tmp_path):
    opened = []

    def callback(sock: Any, name: str, context: Any) -> None:
        number = sock.fileno()
        sock.close()
        opened.append((tmp_path / "foreign").open("wb", buffering=0))
        assert opened[0].fileno() == number

    server_context.sni_callback = callback
    near, far = unix_pair()
    with far, server_context.wrap_socket(near, server_side=True, do_handshake_on_connect=False) as server:
        client = client_context.wrap_bio(tls.MemoryBIO(), outgoing := tls.MemoryBIO(), server_hostname=HOST)
        assert attempt(client.do_handshake) is WANT
        far.sendall(outgoing.read())
        with pytest.raises(OSError, match=ENDED):
            server.do_handshake()
    opened[0].close()
    assert (tmp_path / "foreign").read_bytes() == b""


def test_a_callback_may_use_another_connection(certificates, version, client_context, server_context):
    other = Pair(certificates.client_context(version), certificates.server_context(version))

    def callback(side: Any, name: str, context: Any) -> None:
        other.handshake()
        assert other.transfer(b"nested", other.client) == b"nested"

    server_context.sni_callback = callback
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert pair.transfer(b"hello", pair.client) == b"hello"
    assert other.transfer(b"again", other.server) == b"again"


def test_a_callback_that_waits_for_another_thread_blocks_no_other_connection(
    certificates, version, client_context, server_context
):
    other = Pair(certificates.client_context(version), certificates.server_context(version))

    def callback(side: Any, name: str, context: Any) -> None:
        Task(other.handshake).result()

    server_context.sni_callback = callback
    pair = Pair(client_context, server_context)
    pair.handshake()


# --- Messages ---------------------------------------------------------------------------------------------------------


@reference("python/cpython#150018")
@pytest.mark.parametrize("action", [raises, raises_base])
@pytest.mark.parametrize("side", ["client", "server"])
def test_an_exception_of_a_message_callback_is_raised(
    server_context: Any, client_context: Any, reports: list[Any], side: str, action: Callable[..., Any]
) -> None:
    context = client_context if side == "client" else server_context
    context._msg_callback = lambda *message: action(None)
    with pytest.raises(Bang if action is raises else BigBang):
        Pair(client_context, server_context).handshake()
    assert not reports


@pytest.mark.parametrize("action", HARMLESS)
def test_a_message_callback_may_do_this(
    server_context: Any, client_context: Any, other: Any, reports: list[Any], action: Callable[..., Any]
) -> None:
    called: list[Any] = []

    def callback(*message: Any) -> None:
        called.append(message)
        if action is not switches or len(called) == 1:
            action(here)

    server_context._msg_callback = callback
    here = Situation(Pair(client_context, server_context), other, [])
    here.pair.handshake()
    assert here.pair.transfer(b"data", here.pair.client) == b"data"
    assert called
    assert not reports
    assert bool(here.raised) is (action is re_enters)


# --- Pre-shared keys --------------------------------------------------------------------------------------------------


def psk_contexts(version: Any) -> tuple[Any, Any]:
    client, server = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT), tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    client.check_hostname, client.verify_mode = False, tls.CERT_NONE
    for context in (client, server):
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("PSK")
    return client, server


def psk_failure(version: Any, client_callback: Callable[..., Any], server_callback: Callable[..., Any]) -> Any:
    client, server = psk_contexts(version)
    client.set_psk_client_callback(client_callback)
    server.set_psk_server_callback(server_callback)
    return Pair(client, server, server_hostname=None).until_error()


WRONG_ANSWERS: list[Any] = [
    None,
    "text",
    1,
    ("me",),
    ("me", None),
    (1, KEY),
    ("me", "text"),
    ("m\0e", KEY),
    ("me", bytes(10000)),
]


@reference("RFC 4279, 2")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("action", [raises, raises_base])
def test_an_exception_of_a_psk_callback_means_no_key(
    version: Any, reports: list[Any], side: str, action: Callable[..., Any]
) -> None:
    def bad(_: Any) -> Any:
        return action(None)

    good = {"client": lambda hint: ("me", KEY), "server": lambda identity: KEY}
    callbacks = {**good, side: bad}
    failure = psk_failure(version, callbacks["client"], callbacks["server"])
    assert isinstance(failure.error, tls.SSLError)
    assert {type(report) for report in reports} == {Bang if action is raises else BigBang}


@reference("RFC 4279, 2")
@pytest.mark.parametrize("answer", WRONG_ANSWERS, ids=lambda answer: repr(answer)[:30])
@pytest.mark.parametrize("side", ["client", "server"])
def test_an_invalid_result_of_a_psk_callback_means_no_key(
    version: Any, reports: list[Any], side: str, answer: Any
) -> None:
    if side == "client":
        failure = psk_failure(version, lambda hint: answer, lambda identity: KEY)
    else:
        failure = psk_failure(version, lambda hint: ("me", KEY), lambda identity: answer)
    assert isinstance(failure.error, tls.SSLError)
    assert reports
    assert all(isinstance(report, (TypeError, ValueError)) for report in reports)


# --- Passwords --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encrypted(certificates: Certificates) -> Credentials:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(certificates.server.key.read_bytes(), None)
    path = certificates.folder / "encrypted.key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    return Credentials(certificates.server.chain, path)


@reference("Python, ssl.SSLContext.load_cert_chain")
@pytest.mark.parametrize("kind", [Bang, BigBang])
def test_an_exception_of_a_password_callback_is_raised(
    server_context: Any, client_context: Any, encrypted: Credentials, reports: list[Any], kind: type[BaseException]
) -> None:
    def password() -> str:
        raise kind

    with pytest.raises(kind):
        server_context.load_cert_chain(*encrypted, password)
    Pair(client_context, server_context).handshake()  # with the certificate that it had before
    assert not reports


@pytest.mark.parametrize("answer", [None, 1, [], object(), "x" * 2000], ids=lambda answer: stable(answer)[:20])
def test_an_invalid_result_of_a_password_callback_is_rejected(
    server_context: Any, client_context: Any, encrypted: Credentials, reports: list[Any], answer: Any
) -> None:
    with pytest.raises((TypeError, ValueError)):
        server_context.load_cert_chain(*encrypted, lambda: answer)
    Pair(client_context, server_context).handshake()
    assert not reports


def test_a_password_callback_may_load_another_key(
    certificates: Certificates, server_context: Any, client_context: Any, encrypted: Credentials
) -> None:
    def password() -> str:
        server_context.load_cert_chain(*certificates.elsewhere)
        gc.collect()
        return "password"

    server_context.load_cert_chain(*encrypted, password)
    Pair(client_context, server_context).handshake()


# --- BIOs of another make ---------------------------------------------------------------------------------------------


class Foreign:
    """A BIO with the given read() and write()."""

    def __init__(self, action: Callable[[], Any]) -> None:
        self.action = action

    def read(self, size: int = -1) -> Any:
        return self.action()

    def write(self, data: bytes) -> Any:
        return self.action()


def bang() -> None:
    raise Bang


def big_bang() -> None:
    raise BigBang


@reference("Python, ssl.MemoryBIO")
@pytest.mark.parametrize("end", ["incoming", "outgoing"])
@pytest.mark.parametrize("kind", [Bang, BigBang])
def test_an_exception_of_a_foreign_bio_is_raised(
    client_context: Any, reports: list[Any], end: str, kind: type[BaseException]
) -> None:
    foreign = Foreign(bang if kind is Bang else big_bang)
    incoming, outgoing = (foreign, tls.MemoryBIO()) if end == "incoming" else (tls.MemoryBIO(), foreign)
    client = client_context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    for _ in range(3):
        with pytest.raises(kind):
            client.do_handshake()
    assert not reports


@reference("Python, ssl.MemoryBIO")
@pytest.mark.parametrize(
    "answer", [None, "text", 1.5, object(), [300], b"x" * 100000], ids=lambda answer: stable(answer)[:20]
)
def test_a_foreign_bio_must_return_bytes(client_context: Any, reports: list[Any], answer: Any) -> None:
    client = client_context.wrap_bio(Foreign(lambda: answer), tls.MemoryBIO(), server_hostname=HOST)
    with pytest.raises((TypeError, ValueError)):
        client.do_handshake()
    assert not reports
