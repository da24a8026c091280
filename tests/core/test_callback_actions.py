"""Every callback may do anything: the tests of sni_callback in test_callbacks.py, for all the others.

The same under AddressSanitizer (scripts/check --asan tests/core/test_callback_actions.py) and valgrind.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.test_callbacks import (
    KEY,
    LETTING_GO,
    WRONG,
    Bang,
    BigBang,
    Situation,
    asks,
    collects,
    drops,
    encrypted,
    psk_contexts,
    raises,
    raises_base,
    reconfigures,
    replaces_callbacks,
    reports,
    switches,
)  # fmt: skip
from tests.incidents.references import reference
from tests.kit import pair as pairs
from tests.kit.certificates import HOST, Certificates, Credentials
from tests.kit.ids import stable
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import BLOCKING, WITH_TIMEOUT, tcp_pair, tls_sockets, unix_pair
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task

pytestmark = reference("python/cpython#146080", "python/cpython#150018")

__all__ = ["encrypted", "reports"]  # fixtures

# Whose callback, and which: of messages, of secrets, for a pre-shared key, and the BIOs of another make.
KINDS = [
    "messages of the client", "messages of the server", "secrets of the client", "secrets of the server",
    "key of the client", "key of the server",
    "incoming of the client", "outgoing of the client", "incoming of the server", "outgoing of the server",
]  # fmt: skip


class Scene:
    """A pair, one of whose callbacks calls `action` with a Situation, once; then it answers as it should."""

    def __init__(
        self, kind: str, certificates: Certificates, version: Any, monkeypatch: pytest.MonkeyPatch,
        action: Callable[[Situation], Any],
    ) -> None:  # fmt: skip
        self.kind = kind
        self.what, self.side = kind.split(maxsplit=1)[0], kind.rsplit(maxsplit=1)[-1]
        self.action: Callable[[Situation], Any] | None = action
        self.calls = 0
        self.contexts = self.make_contexts(certificates, version)
        other = self.make_contexts(certificates, version)[1]
        self.set_callbacks(monkeypatch)
        hostname = None if self.what == "key" else HOST
        self.here = Situation(Pair(*self.contexts, server_hostname=hostname), other, [])

    def make_contexts(self, certificates: Certificates, version: Any) -> tuple[Any, Any]:
        if self.what != "key":
            return certificates.client_context(version), certificates.server_context(version)
        client, server = psk_contexts(version)
        client.set_psk_client_callback(lambda hint: self.called(self.side == "client", ("me", KEY)))
        server.set_psk_server_callback(lambda identity: self.called(self.side == "server", KEY))
        return client, server

    def set_callbacks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if self.what == "messages":
            context = self.contexts[self.side == "server"]
            context._msg_callback = lambda *_: self.called(True, None)
        elif self.what == "secrets":
            context = self.contexts[self.side == "server"]
            context.keylog_callback = lambda *_: self.called(True, None)
        elif self.what in {"incoming", "outgoing"}:
            called = self.called

            class Calling(tls.MemoryBIO):
                def read(self, size: int = -1) -> bytes:
                    called(True, None)
                    return super().read(size)

                def write(self, data: Any) -> int:
                    called(True, None)
                    return super().write(data)

            order = iter(KINDS[6:])  # in which a Pair makes them
            monkeypatch.setattr(
                pairs, "memory_bio", lambda _: Calling() if next(order) == self.kind else tls.MemoryBIO()
            )

    def called(self, mine: bool, answer: Any) -> Any:
        if not mine or not hasattr(self, "here"):
            return answer
        self.calls += 1
        action, self.action = self.action, None
        wrong = action(self.here) if action is not None else None
        return answer if wrong is None else wrong

    def caller(self) -> Any:
        return getattr(self.here.pair, self.side)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scene(
    kind: str, certificates: Certificates, version: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[..., Any]], Scene]:
    return lambda action: Scene(kind, certificates, version, monkeypatch, action)


@pytest.mark.parametrize("action", [raises, raises_base])
def test_its_exception_reaches_the_caller_or_the_hook(
    scene: Callable[..., Scene], reports: list[Any], action: Callable[..., Any]
) -> None:
    made = scene(action)
    kind = Bang if action is raises else BigBang
    if made.what == "key":
        assert isinstance(made.here.pair.until_error().error, tls.SSLError)
        assert {type(report) for report in reports} == {kind}
    else:
        with pytest.raises(kind):
            made.here.pair.handshake()
        assert not reports
    assert made.calls


@pytest.mark.parametrize("answer", WRONG, ids=stable)
def test_an_invalid_result_is_rejected_or_ignored(scene: Callable[..., Scene], reports: list[Any], answer: Any) -> None:
    made = scene(lambda _: answer)
    if made.what == "key":
        assert isinstance(made.here.pair.until_error().error, tls.SSLError)
        assert {type(report) for report in reports} <= {TypeError, ValueError}
        assert reports or (made.side == "server" and isinstance(answer, bytes)), "only bytes are a key"
    else:  # nobody asks what the callback of messages or secrets returns; a BIO's answers are in test_callbacks.py
        made.here.pair.handshake()
        assert not reports


def re_enters_itself(scene: Scene) -> Callable[[Situation], None]:
    def action(here: Situation) -> None:
        side = scene.caller()
        for operation in (side.do_handshake, side.read, lambda: side.write(b"x"), side.unwrap):
            with contextlib.suppress(tls.SSLError):
                try:
                    operation()
                except ValueError as error:
                    here.raised.append(error)

    return action


@pytest.mark.parametrize("action", [collects, asks, replaces_callbacks, reconfigures])
def test_it_may_do_this(scene: Callable[..., Scene], reports: list[Any], action: Callable[..., Any]) -> None:
    made = scene(action)
    pair = made.here.pair
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    assert pair.transfer(b"data", pair.server) == b"data"
    assert made.calls
    assert not reports


def test_it_may_switch_the_context_of_the_server(scene: Callable[..., Scene], reports: list[Any]) -> None:
    made = scene(switches)
    made.here.pair.handshake()
    pair = made.here.pair
    assert pair.server.context is made.here.other
    assert pair.transfer(b"data", pair.client) == b"data"
    assert pair.transfer(b"data", pair.server) == b"data"
    assert not reports


@reference("Python, ssl.SSLSocket.context")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("moment", ["shaking", "shaken"])
def test_a_message_callback_may_switch_to_a_context_without_one(
    certificates: Certificates, version: Any, reports: list[Any], side: str, moment: str
) -> None:
    """OpenSSL looks for the callback once for each record, and calls it twice."""
    contexts = {"client": certificates.client_context(version), "server": certificates.server_context(version)}
    others = {"client": certificates.client_context(version), "server": certificates.server_context(version)}
    armed = moment == "shaking"
    switched: list[Any] = []

    def switch(connection: Any, *_: Any) -> None:
        if armed:
            connection.context = others[side]
            switched.append(connection)

    contexts[side]._msg_callback = switch
    pair = Pair(contexts["client"], contexts["server"])
    pair.handshake()
    armed = True
    assert pair.transfer(b"data", pair.client) == b"data"
    assert pair.transfer(b"data", pair.server) == b"data"
    assert switched == [getattr(pair, side)]
    assert switched[0].context is others[side]
    assert not reports


@reference("Python, ssl.SSLSocket.context")
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_message_callback_may_switch_the_context_at_any_message(
    certificates: Certificates, version: Any, reports: list[Any], side: str
) -> None:
    """OpenSSL has chosen a certificate before it signs with it: that stays, and so do those of contexts in between."""

    def contexts() -> dict[str, Any]:
        server = certificates.server_context(version)
        server.verify_mode = tls.CERT_REQUIRED
        server.load_verify_locations(certificates.ca_file)
        client = certificates.client_context(version)
        client.load_cert_chain(*certificates.client)
        made = {"client": client, "server": server}
        made[side]._msg_callback = switch
        return made

    def switch(connection: Any, *_: Any) -> None:
        counts.append(connection)
        if len(counts) == at:
            connection.context = contexts()[side]
            connection.context = other

    at, counts = 0, [None]
    first, other = contexts(), contexts()[side]
    while len(counts) > at:
        at, counts = at + 1, []
        pair = Pair(first["client"], first["server"])
        pair.handshake()
        assert pair.transfer(b"data", pair.client) == b"data"
        assert pair.transfer(b"data", pair.server) == b"data"
    assert at > 20
    assert not reports


@reference("Python, ssl.SSLSocket.context")
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_handshake_goes_on_with_its_certificate_if_its_context_is_chosen_again(
    certificates: Certificates, version: Any, reports: list[Any], side: str
) -> None:
    """The context has another one meanwhile: half of the handshake must not be with that."""

    def switch(connection: Any, *_: Any) -> None:
        counts.append(connection)
        if len(counts) == at:
            context = connection.context
            context.load_cert_chain(*(certificates.server if side == "client" else certificates.client))
            connection.context = context

    at, counts = 0, [None]
    while len(counts) > at:
        at, counts = at + 1, []
        server = certificates.server_context(version)
        server.verify_mode = tls.CERT_REQUIRED
        server.load_verify_locations(certificates.ca_file)
        client = certificates.client_context(version)
        client.check_hostname = False
        client.load_cert_chain(*certificates.client)
        (client if side == "client" else server)._msg_callback = switch
        pair = Pair(client, server)
        pair.handshake()
        assert pair.transfer(b"data", pair.client) == b"data"
        assert pair.transfer(b"data", pair.server) == b"data"
    assert at > 20
    assert not reports


@reference("Python, ssl.SSLObject.context")
@pytest.mark.parametrize("bytes_left", [1, 40])
def test_a_client_may_get_another_context_while_the_server_has_not_finished(
    certificates: Certificates, version: Any, bytes_left: int
) -> None:
    """With what the server sent it has chosen its certificate, but has not signed with it."""
    server_context = certificates.server_context(version)
    server_context.verify_mode = tls.CERT_REQUIRED
    server_context.load_verify_locations(certificates.ca_file)
    client_context, other = certificates.client_context(version), certificates.client_context(version)
    for context in (client_context, other):
        context.load_cert_chain(*certificates.client)
    pair = Pair(client_context, server_context)
    del client_context, context
    assert attempt(pair.client.do_handshake) is WANT
    pair.pump()
    assert attempt(pair.server.do_handshake) is WANT
    flight = pair.to_client.outgoing.read()
    pair.to_client.incoming.write(flight[:-bytes_left])
    assert attempt(pair.client.do_handshake) is WANT
    pair.client.context = other
    gc.collect()
    pair.to_client.incoming.write(flight[-bytes_left:])
    pair.handshake()
    assert pair.server.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)


def test_of_several_exceptions_the_last_is_raised_and_only_once(client_context: Any, server_context: Any) -> None:
    """As by `ssl`. A later call of the connection has nothing to do with them."""
    raised: list[Bang] = []
    armed = True

    def raise_each_time(*_: Any) -> None:
        if armed:
            raised.append(Bang())
            raise raised[-1]

    client_context._msg_callback = raise_each_time
    near, far = tcp_pair()
    with contextlib.ExitStack() as stack:
        client = client_context.wrap_socket(far, server_hostname=HOST, do_handshake_on_connect=False)
        server = server_context.wrap_socket(near, server_side=True, do_handshake_on_connect=False)
        for sock in (client, server):
            stack.enter_context(sock)
            sock.settimeout(PATIENCE)
        shaking = Task(server.do_handshake)
        with pytest.raises(Bang) as error:
            client.do_handshake()
        shaking.result()
        assert error.value is raised[-1]
        armed = False
        client.do_handshake()
        client.sendall(b"data")
        assert server.recv(100) == b"data"


def test_it_cannot_call_its_own_connection(scene: Callable[..., Scene], reports: list[Any]) -> None:
    made = scene(lambda here: re_enters_itself(made)(here))
    made.here.pair.handshake()
    pair = made.here.pair
    assert pair.transfer(b"data", pair.client) == b"data"
    assert len(made.here.raised) == 4
    assert not reports


def test_it_may_drop_the_last_references(scene: Callable[..., Scene], reports: list[Any]) -> None:
    made = scene(drops)
    pair = made.here.pair
    for _ in range(10):
        for name in ("client", "server"):
            if name in pair.__dict__:
                with contextlib.suppress(tls.SSLWantReadError):
                    getattr(pair, name).do_handshake()
        if pair.__dict__:
            pair.pump()
    assert not pair.__dict__
    assert not reports
    del made
    gc.collect()


@pytest.mark.parametrize("transport", [tcp_pair, unix_pair])
@pytest.mark.parametrize("let_go", LETTING_GO, ids=["close", "detach", "shut", "shutdown"])
@pytest.mark.parametrize("kind", KINDS[:6])
def test_it_may_close_its_socket(
    certificates: Certificates, version: Any, monkeypatch: pytest.MonkeyPatch, reports: list[Any], kind: str,
    transport: Any, let_go: Callable[[Any], Any],
) -> None:  # fmt: skip
    made = Scene(kind, certificates, version, monkeypatch, lambda _: let_go(sockets[made.side]))
    client_context, server_context = made.contexts
    near, far = transport()
    with contextlib.ExitStack() as stack:
        client = client_context.wrap_socket(
            far, server_hostname=None if made.what == "key" else HOST, do_handshake_on_connect=False
        )
        server = server_context.wrap_socket(near, server_side=True, do_handshake_on_connect=False)
        sockets = {"client": stack.enter_context(client), "server": stack.enter_context(server)}
        for sock in sockets.values():
            sock.settimeout(PATIENCE)
        shaking = [Task(sock.do_handshake) for sock in sockets.values()]
        for task in shaking:
            with pytest.raises(OSError, match=r".") as error:
                task.result()
            assert not isinstance(error.value, TimeoutError)
    assert not reports


# --- Data that was read when a callback raised ------------------------------------------------------------------------


class Alarm:
    """A message callback that raises when it is set."""

    def __init__(self, context: Any) -> None:
        self.is_set = False
        context._msg_callback = self

    def __call__(self, *_: Any) -> None:
        if self.is_set:
            raise Bang


@pytest.fixture
def alarm(client_context: Any) -> Alarm:
    return Alarm(client_context)


@reference("python/cpython#150018")
def test_data_read_before_a_callback_raises_is_kept_for_the_next_read(
    client_context: Any, server_context: Any, alarm: Alarm
) -> None:
    pair = Pair(client_context, server_context)
    pair.handshake()
    pair.transfer(b"before", pair.server)
    pair.server.write(b"data")
    pair.pump()
    alarm.is_set = True
    with pytest.raises(Bang):
        pair.client.read(100)
    alarm.is_set = False
    assert pair.client.pending() == 4
    assert pair.client.read(1) == b"d"
    assert pair.client.pending() == 3
    buffer = bytearray(2)
    assert pair.client.read(2, buffer) == 2
    assert buffer == b"at"
    pair.server.write(b"more")
    pair.pump()
    assert pair.client.read(100) == b"a"
    assert pair.client.read(100) == b"more"
    assert pair.client.pending() == 0
    assert attempt(pair.client.read, 1) is WANT


@reference("python/cpython#150018")
@pytest.mark.parametrize("mode", [BLOCKING, WITH_TIMEOUT], ids=lambda mode: mode.name)
def test_sockets_behave_the_same(client_context: Any, server_context: Any, alarm: Alarm, mode: Any) -> None:
    with tls_sockets(client_context, server_context, mode=mode) as (client, server):
        server.sendall(b"first")
        assert client.recv(100) == b"first"
        server.sendall(b"data")
        alarm.is_set = True
        with pytest.raises(Bang):
            client.recv(100)
        alarm.is_set = False
        assert client.pending() == 4
        assert client.recv(2) == b"da"
        assert client.recv(100) == b"ta"
        server.sendall(b"more")
        assert client.recv(100) == b"more"


def test_another_thread_that_already_reads_gets_it_first(client_context: Any, server_context: Any) -> None:
    armed, raised = threading.Event(), threading.Event()

    def raise_once(*_: Any) -> None:
        if armed.is_set() and not raised.is_set():
            raised.set()
            raise Bang

    client_context._msg_callback = raise_once
    with tls_sockets(client_context, server_context, mode=BLOCKING) as (client, server):
        server.sendall(b"before")
        assert client.recv(100) == b"before"
        armed.set()
        readers = [Task(client.recv, 100) for _ in range(2)]
        server.sendall(b"first")
        assert raised.wait(PATIENCE)
        server.sendall(b"second")
        got = []
        for reader in readers:
            with contextlib.suppress(Bang):
                got.append(reader.result())
        assert len(got) == 1
        assert got[0].startswith(b"first")
        if got[0] == b"first":
            assert client.recv(100) == b"second"


def test_nothing_is_lost_where_many_readers_are_interrupted(client_context: Any, server_context: Any) -> None:
    chance = random.Random(1)
    armed = threading.Event()

    def raise_sometimes(*_: Any) -> None:
        if armed.is_set() and chance.random() < 0.3:
            raise Bang

    def read() -> int:
        count = 0
        while True:
            with contextlib.suppress(Bang):
                part = client.recv(3)
                if not part:
                    return count
                count += len(part)

    client_context._msg_callback = raise_sometimes
    with tls_sockets(client_context, server_context, mode=BLOCKING) as (client, server):
        armed.set()
        readers = [Task(read) for _ in range(3)]
        for number in range(300):
            server.sendall(b"%05d" % number)
        server.shutdown(socket.SHUT_WR)
        assert sum(reader.result() for reader in readers) == 1500


@reference("python/cpython#150018")
def test_an_exception_of_a_callback_is_not_hidden_by_a_want(
    client_context: Any, server_context: Any, alarm: Alarm
) -> None:
    """A caller that does not block would only call again."""
    pair = Pair(client_context, server_context)
    alarm.is_set = True
    with pytest.raises(Bang):
        pair.client.do_handshake()
    alarm.is_set = False
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"


# --- The key log: a callback of OpenSSL's that writes to a file -------------------------------------------------------


def is_open_as(number: int, path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(number), path.stat())
    return False


@reference("Python, ssl.SSLContext.keylog_filename")
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_key_log_that_cannot_be_written_is_reported_once(
    client_context: Any, server_context: Any, reports: list[Any], side: str, tmp_path: Path
) -> None:
    """It does not end the handshake: it is there for debugging."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    context = client_context if side == "client" else server_context
    context.keylog_filename = str(tmp_path / "keys")
    (number,) = [number for number in range(3, 1000) if is_open_as(number, tmp_path / "keys")]
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, number)
    os.close(full)
    for _ in range(2):
        pair = Pair(client_context, server_context)
        pair.handshake()
        assert pair.transfer(b"data", pair.client) == b"data"
    context.keylog_filename = None
    (report,) = reports
    assert report.errno == errno.ENOSPC
    assert report.filename == str(tmp_path / "keys")


@reference("Python, ssl.SSLContext.keylog_filename")
def test_so_is_one_whose_reader_has_gone(
    client_context: Any, server_context: Any, reports: list[Any], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    client_context.keylog_filename = tmp_path / "fifo"
    os.close(reader)
    Pair(client_context, server_context).handshake()
    assert [type(report) for report in reports] == [BrokenPipeError]


# --- Passwords: there is no connection yet, only a context ------------------------------------------------------------


def drop_everything(contexts: list[Any]) -> None:
    contexts.clear()
    gc.collect()


@reference("Python, ssl.SSLContext.load_cert_chain")
@pytest.mark.parametrize(
    "action", [drop_everything, lambda _: gc.collect(), lambda contexts: contexts[0].get_ciphers()]
)
def test_a_password_callback_may_do_this(
    server_context: Any, client_context: Any, encrypted: Credentials, reports: list[Any], action: Callable[..., Any]
) -> None:
    contexts = [server_context]

    def password() -> str:
        action(contexts)
        return "password"

    contexts[0].load_cert_chain(*encrypted, password)
    Pair(client_context, server_context).handshake()
    assert not reports
