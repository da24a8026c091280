"""SSLContext.handshake_callback: told of every handshake, when the call that ended it is over."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.sockets import tcp_pair, tls_sockets
from tests.kit.subject import tls
from wiretight import HandshakeEvent
from wiretight import asyncio as native


class Told:
    """What a context was told, and what it has to say to that."""

    def __init__(self, *contexts: Any) -> None:
        self.events: list[tuple[Any, HandshakeEvent]] = []
        for context in contexts:
            context.handshake_callback = self.note

    def note(self, connection: Any, event: HandshakeEvent) -> None:
        self.events.append((connection, event))

    def only(self) -> tuple[Any, HandshakeEvent]:
        [told] = self.events
        return told


@pytest.fixture
def told(client_context: Any) -> Told:
    return Told(client_context)


def test_it_gets_the_connection_and_what_was_agreed_on(
    client_context: Any, server_context: Any, told: Told, version: Any
) -> None:
    client_context.set_alpn_protocols(["h2"])
    server_context.set_alpn_protocols(["h2"])
    pair = Pair(client_context, server_context)
    pair.handshake()
    connection, event = told.only()
    assert connection is pair.client
    assert not event.server_side
    assert event.failure is None
    assert event.version == pair.client.version()
    assert event.group == pair.client.group()
    assert event.seconds == pytest.approx(client_context.metrics().handshake_seconds)
    assert event.attributes() == {
        "tls.protocol.name": "tls",
        "tls.protocol.version": "1.3" if version == tls.TLSVersion.TLSv1_3 else "1.2",
        "tls.cipher": event.cipher,
        "tls.curve": pair.client.group(),
        "tls.next_protocol": "h2",
        "tls.resumed": False,
        "tls.established": True,
    }
    assert event.cipher.startswith("TLS_")
    pair.transfer(b"data", pair.server)
    told.only()


def test_of_a_failure_it_tells_why(certificates: Certificates, version: Any) -> None:
    client, server = certificates.client_context(version), certificates.server_context(version)
    server.credentials = [tls.Credential.from_pem(*(path.read_bytes() for path in certificates.expired))]
    ours, theirs = Told(client), Told(server)
    Pair(client, server).until_error()
    attributes = ours.only()[1].attributes()
    assert attributes["tls.established"] is False
    assert attributes["error.type"] == "CERT_HAS_EXPIRED"
    event = theirs.only()[1]
    assert event.server_side
    assert event.failure.alert == tls.AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_EXPIRED
    assert event.attributes()["error.type"] == "certificate_expired"


def test_it_may_do_anything_with_the_connection(client_context: Any, server_context: Any, mode: Any) -> None:
    """It runs when the verb is over, on a server of TLS 1.3 as on a client."""
    server_context.handshake_callback = lambda connection, _: connection.sendall(b"welcome")
    with tls_sockets(client_context, server_context, mode=mode) as (client, _):
        client.settimeout(None)
        assert client.recv(100) == b"welcome"


def test_what_it_raises_harms_nothing(client_context: Any, server_context: Any, unraisable: list[Any]) -> None:
    def fail(*_: object) -> None:
        raise KeyError("from the callback")

    client_context.handshake_callback = fail
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert [type(error) for error in unraisable] == [KeyError]
    assert pair.transfer(b"data", pair.client) == b"data"


def test_a_timeout_is_told_of_at_close(client_context: Any, told: Told) -> None:
    near, far = tcp_pair()
    with far:
        near.settimeout(0.02)
        sock = client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False)
        with pytest.raises(TimeoutError):
            sock.do_handshake()
        assert not told.events
        sock.close()
        assert told.only()[1].attributes()["error.type"] == "timeout"


def test_who_drops_an_object_is_not_told_and_a_metric_is(client_context: Any, server_context: Any, told: Told) -> None:
    pair = Pair(client_context, server_context)
    attempt(pair.client.do_handshake)
    del pair
    assert not told.events
    assert sum(client_context.metrics().handshakes_failed.values()) == 1


def test_the_chosen_context_is_told(certificates: Certificates, client_context: Any, version: Any) -> None:
    listening, chosen = certificates.server_context(version), certificates.server_context(version)
    listening.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    first, second = Told(listening), Told(chosen)
    Pair(client_context, listening).handshake()
    assert not first.events
    assert second.only()[1].server_side


def test_a_connection_keeps_the_callback_of_when_it_was_made(
    client_context: Any, server_context: Any, told: Told
) -> None:
    pair = Pair(client_context, server_context)
    client_context.handshake_callback = None
    pair.handshake()
    assert told.only()[0] is pair.client
    Pair(client_context, server_context).handshake()
    told.only()


@pytest.mark.parametrize("executor", [False, True], ids=["on the loop", "in an executor"])
def test_a_transport_tells_with_its_ssl_object(certificates: Certificates, executor: bool) -> None:
    client, server = certificates.client_context(), certificates.server_context()
    told = Told(client, server)

    async def main() -> None:
        serving = await native.start_server(lambda _, writer: writer.close(), ADDRESS, 0, ssl=server)
        reader, writer = await native.open_connection(
            *serving.sockets[0].getsockname(), ssl=client, server_hostname=HOST
        )
        assert await reader.read() == b""
        assert writer.get_extra_info("ssl_object") in [connection for connection, _ in told.events]
        writer.close()
        await writer.wait_closed()
        serving.close()

    with ThreadPoolExecutor(1) as threads:
        if executor:
            client.handshake_executor = server.handshake_executor = threads
        asyncio.run(main())
    assert sorted(event.server_side for _, event in told.events) == [False, True]


@contextlib.contextmanager
def unshaken(client_context: Any, server_context: Any) -> Iterator[tuple[Any, Any]]:
    """Two sockets before their handshake."""
    near, far = tcp_pair()
    with (
        client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as client,
        server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server,
    ):
        yield client, server


class Stop(BaseException): ...


def stop(*_: Any) -> None:
    raise Stop


def test_close_closes_and_then_raises(client_context: Any) -> None:
    client_context.handshake_callback = stop
    near, far = tcp_pair()
    with far:
        near.settimeout(0)
        sock = client_context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False)
        with pytest.raises(tls.SSLWantReadError):
            sock.do_handshake()
        with pytest.raises(Stop):
            sock.close()
        assert sock.fileno() == -1
        while far.recv(4096):
            pass
        sock.close()


@pytest.mark.parametrize("end", ["cancel", "end", "timeout"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, Stop])
def test_a_transport_closes_its_socket_whatever_it_raises(
    certificates: Certificates, end: str, kind: type[BaseException]
) -> None:
    client = certificates.client_context()

    def fail(*_: Any) -> None:
        raise kind

    client.handshake_callback = fail
    near, far = tcp_pair()
    near.setblocking(False)

    async def main() -> None:
        limit = 0.05 if end == "timeout" else 30
        connecting = asyncio.ensure_future(
            native.create_connection(
                asyncio.Protocol, sock=near, ssl=client, server_hostname=HOST, ssl_handshake_timeout=limit
            )
        )
        await asyncio.get_running_loop().run_in_executor(None, far.recv, 4096)
        if end == "cancel":
            connecting.cancel()
        elif end == "end":
            far.close()
        await asyncio.wait([connecting])
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    with far:
        with contextlib.suppress(kind):  # which may end the loop first
            loop.run_until_complete(main())
        with contextlib.suppress(kind):
            loop.run_until_complete(asyncio.sleep(0.01))
        assert near.fileno() == -1
        loop.close()


@pytest.mark.parametrize("way", ["socket", "transport"])
def test_it_comes_before_the_failure_of_the_handshake(client_context: Any, way: str) -> None:
    client_context.handshake_callback = stop
    near, far = tcp_pair()
    far.sendall(b"HTTP/1.1 400 Bad Request\r\n")

    def connect() -> None:
        client_context.wrap_socket(near, server_hostname=HOST)

    async def connect_transport() -> None:
        near.setblocking(False)
        await native.create_connection(asyncio.Protocol, sock=near, ssl=client_context, server_hostname=HOST)

    with far, pytest.raises(Stop) as caught:
        connect() if way == "socket" else asyncio.run(connect_transport())
    assert isinstance(caught.value.__context__, tls.SSLError)


@contextlib.contextmanager
def owing(client_context: Any, server_context: Any) -> Iterator[tuple[Any, Any]]:
    """A client that owes its program the exception of the callback, since a write that ended the handshake and sent."""
    client_context.handshake_callback = stop
    with unshaken(client_context, server_context) as (client, server):
        with ThreadPoolExecutor(1) as thread:
            accepting = thread.submit(server.do_handshake)
            client.sendall(b"once")
            accepting.result()
        yield client, server


def test_what_a_write_has_sent_is_not_sent_again(client_context: Any, server_context: Any) -> None:
    """The write returns, and the next call raises, once, before it does anything."""
    with owing(client_context, server_context) as (client, server):
        with pytest.raises(Stop):
            client.sendall(b"twice")
        client.sendall(b".")
        client.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: server.recv(100), b"")) == b"once."


def test_or_close_raises_it(client_context: Any, server_context: Any) -> None:
    with owing(client_context, server_context) as (client, _):
        with pytest.raises(Stop):
            client.close()
        assert client.fileno() == -1


def test_or_who_wraps_the_connection_raises_it(client_context: Any, server_context: Any) -> None:
    with owing(client_context, server_context) as (client, server):
        options = {"server_hostname": HOST, "do_handshake_on_connect": False}
        with pytest.raises(Stop):
            client_context.wrap_socket(client, **options)
        assert server.recv(100) == b"once"
        client_context.wrap_socket(client, **options).close()


def after_a_write(client_context: Any, server_context: Any) -> Pair:
    """Whose client has shaken hands by a write: what its handshake_callback raised is left for its next call."""
    pair = Pair(client_context, server_context)
    for _ in range(3):
        if attempt(pair.client.write, b"once") is not WANT:
            break
        pair.pump()
        attempt(pair.server.do_handshake)
        pair.pump()
    return pair


def test_what_is_dropped_reports_it(client_context: Any, server_context: Any, unraisable: list[Any]) -> None:
    client_context.handshake_callback = stop
    pair = after_a_write(client_context, server_context)
    assert not unraisable
    del pair
    gc.collect()
    assert [type(error) for error in unraisable] == [Stop]


def test_what_is_collected_as_garbage_reports_it_as_it_was(client_context: Any, server_context: Any) -> None:
    """The collector clears the exception, which is garbage, too, before the connection is freed."""

    def fail(*_: Any) -> None:
        raise Stop("an argument")

    client_context.handshake_callback = fail
    pair = after_a_write(client_context, server_context)
    circle: list[Any] = [pair.client, pair.client._sslobj]
    circle.append(circle)
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda report: told.append(str(report.exc_value)))
        del pair, circle
        gc.collect()
    assert told == ["an argument"]


def test_what_a_read_has_got_is_for_the_next_one(client_context: Any, server_context: Any) -> None:
    server_context.handshake_callback = stop
    with unshaken(client_context, server_context) as (client, server):
        with ThreadPoolExecutor(1) as thread:
            sending = thread.submit(client.sendall, b"once")
            with pytest.raises(Stop):
                server.recv(100)
            sending.result()
        assert server.recv(100) == b"once"


def test_it_is_read_as_it_was_set(client_context: Any, told: Told) -> None:
    assert client_context.handshake_callback == told.note
    assert client_context.copy().handshake_callback == told.note
    with pytest.raises(TypeError, match="must be callable or None, not int"):
        client_context.handshake_callback = 3
    client_context.handshake_callback = None
    assert client_context.handshake_callback is None
