"""A reset is an error, the same in every later call, with the peer's alert as its cause if there was one."""

from __future__ import annotations

import asyncio
import contextlib
import io
import select
import socket
import ssl as standard
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.aio.protocols import Recorder
from tests.core.peer import Peer, until
from tests.incidents.eventloops import Way
from tests.incidents.references import reference
from tests.kit.certificates import Certificates
from tests.kit.pair import WANT, attempt
from tests.kit.sockets import Mode, driven, tcp_pair
from tests.kit.standard import beside_ssl
from tests.kit.subject import tls

pytestmark = reference("RFC 9293, 3.10.7.4", "RFC 8446, 6.2", "SSL_get_error(3)")

CALLS: dict[str, Callable[[Any], Any]] = {
    "read": lambda sock: sock.recv(100),
    "write": lambda sock: sock.send(b"request"),
    "unwrap": lambda sock: sock.unwrap(),
    "do_handshake": lambda sock: sock.do_handshake(),
}
# What the call that meets a reset raises, and the same call whenever a reset has been told of.
FIRST = ConnectionResetError
LATER = {
    "read": ConnectionResetError,
    "write": BrokenPipeError,
    "unwrap": BrokenPipeError,
    "do_handshake": BrokenPipeError,
}


def hung_up(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def reset(peer: Peer) -> None:
    """The peer resets the connection."""
    peer.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.plain.close()
    until(lambda: hung_up(peer.sock), "the reset has arrived")


def leave(peer: Peer) -> None:
    """The peer closes in order, and what we write after that is answered by a reset."""
    peer.plain.close()
    peer.sock.send(b"late")
    until(lambda: hung_up(peer.sock), "the reset has arrived")


def refuse(peer: Peer) -> str:
    """The peer sends a fatal alert; the end of its name."""
    peer.incoming.write(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    with pytest.raises(standard.SSLError):
        peer.tls.read()
    peer.deliver(peer.outgoing.read())
    return "ALERT_BAD_RECORD_MAC"


def kind(sock: Any, call: Callable[[Any], Any]) -> Any:
    """The class of the exception that the call raises, or its result."""
    try:
        return driven(sock, call, sock)
    except Exception as error:
        return type(error)


def raised(sock: Any, call: Callable[[Any], Any]) -> OSError:
    with pytest.raises(OSError, match=r".") as error:
        driven(sock, call, sock)
    return error.value


# --- The class --------------------------------------------------------------------------------------------------------


def established(peer: Peer) -> None:
    peer.handshake()


def before_the_handshake(peer: Peer) -> None:
    pass


def in_the_handshake(peer: Peer) -> None:
    assert attempt(peer.sock.do_handshake) is WANT
    peer.drain()


def in_the_middle_of_the_handshake(peer: Peer) -> None:
    """The server's flight is there, and our answer will be refused."""
    in_the_handshake(peer)
    attempt(peer.tls.do_handshake)
    peer.deliver(peer.outgoing.read())


PLACES = (established, before_the_handshake, in_the_handshake, in_the_middle_of_the_handshake)
# An unwrap() in the handshake and a do_handshake() after it need no peer to say what they say.
MEETS = [
    pytest.param(place, call, id=f"{place.__name__}-{call}")
    for place in PLACES
    for call in CALLS
    if call != ("do_handshake" if place is established else "unwrap")
]
# `ssl` before 3.13 takes the refusal of a write for the peer's end.
SSL_AGREES = [
    pytest.param(standard, established, "unwrap", id="ssl-established-unwrap"),
    pytest.param(standard, before_the_handshake, "do_handshake", id="ssl-before_the_handshake-do_handshake"),
]
if sys.version_info >= (3, 13):
    SSL_AGREES += [
        pytest.param(standard, established, "write", id="ssl-established-write"),
        pytest.param(standard, before_the_handshake, "write", id="ssl-before_the_handshake-write"),
    ]


@contextlib.contextmanager
def a_peer(certificates: Certificates, version: Any, module: Any = tls) -> Iterator[Peer]:
    contexts = (
        certificates.client_context(version, module=module),
        certificates.server_context(version, module=module),
    )
    with Peer(*contexts, handshake=False) as peer:
        yield peer


@pytest.mark.parametrize("later", CALLS)
@pytest.mark.parametrize(("place", "call"), MEETS)
def test_the_class_after_a_reset(
    certificates: Certificates, version: Any, mode: Mode, place: Callable[[Peer], None], call: str, later: str
) -> None:
    with a_peer(certificates, version) as peer:
        place(peer)
        reset(peer)
        peer.sock.settimeout(mode.timeout)
        seen = [kind(peer.sock, CALLS[name]) for name in (call, later, later, call)]
    assert seen == [FIRST, LATER[later], LATER[later], LATER[call]]


@pytest.mark.parametrize(
    ("module", "place", "call"), [*SSL_AGREES, *(pytest.param(tls, *case.values[1:]) for case in SSL_AGREES)]
)
def test_the_class_after_a_reset_is_that_of_ssl(
    certificates: Certificates, version: Any, mode: Mode, module: Any, place: Callable[[Peer], None], call: str
) -> None:
    with a_peer(certificates, version, module) as peer:
        place(peer)
        reset(peer)
        peer.sock.settimeout(mode.timeout)
        assert [kind(peer.sock, CALLS[call]) for _ in range(3)] == [FIRST, LATER[call], LATER[call]]


@pytest.mark.parametrize("call", ["write", "unwrap"])
def test_data_before_a_reset_can_be_read_after_its_error(
    certificates: Certificates, version: Any, mode: Mode, call: str
) -> None:
    """And then it is not the end of the data, although the socket suppresses ragged ends."""
    with a_peer(certificates, version) as peer:
        peer.handshake()
        peer.deliver(peer.encrypt(b"x" * 20_000))
        reset(peer)
        peer.sock.settimeout(mode.timeout)
        assert peer.sock.suppress_ragged_eofs
        assert kind(peer.sock, CALLS[call]) is FIRST
        data = b""
        while isinstance(part := kind(peer.sock, CALLS["read"]), bytes) and part:
            data += part
        assert data == b"x" * 20_000
        assert part is ConnectionResetError
        assert kind(peer.sock, CALLS["read"]) is ConnectionResetError


def test_different_bytes_after_a_reset_are_not_a_bad_retry(
    certificates: Certificates, version: Any, mode: Mode
) -> None:
    with a_peer(certificates, version) as peer:
        peer.handshake()
        reset(peer)
        peer.sock.settimeout(mode.timeout)
        assert kind(peer.sock, lambda sock: sock.send(b"one")) is ConnectionResetError
        assert kind(peer.sock, lambda sock: sock.send(b"another")) is BrokenPipeError


@pytest.mark.parametrize("call", ["write", "unwrap"])
def test_an_end_once_read_stays_an_end(certificates: Certificates, version: Any, mode: Mode, call: str) -> None:
    """Whether a reset follows it or not."""
    seen = []
    for going in (lambda peer: peer.plain.close(), leave):
        with a_peer(certificates, version) as peer:
            peer.handshake()
            going(peer)
            peer.sock.settimeout(mode.timeout)
            peer.sock.suppress_ragged_eofs = False
            assert isinstance(raised(peer.sock, CALLS["read"]), standard.SSLEOFError)
            error = raised(peer.sock, CALLS[call])
            seen.append((type(error), error.reason))
    assert seen[0] == seen[1]


# --- The reason -------------------------------------------------------------------------------------------------------

SENDS: dict[str, Callable[[Any], Any]] = {
    "send": lambda sock: sock.send(b"request"),
    "sendall": lambda sock: sock.sendall(b"request"),
    "write": lambda sock: sock.write(b"request"),
    "sendfile": lambda sock: sock.sendfile(io.BytesIO(b"request")),
    "unwrap": lambda sock: sock.unwrap(),
}
GOING = {reset: ConnectionResetError, leave: BrokenPipeError}


def is_refusal(error: BaseException | None, alert: str) -> bool:
    return type(error) is standard.SSLError and error.library == "SSL" and str(error.reason).endswith(alert)


@reference("python/cpython#110197", "openssl/openssl#8500")
@pytest.mark.parametrize("going", GOING, ids=lambda going: going.__name__)
@pytest.mark.parametrize("send", SENDS)
def test_the_alert_is_the_cause(
    certificates: Certificates, version: Any, mode: Mode, send: str, going: Callable[[Peer], None]
) -> None:
    with a_peer(certificates, version) as peer:
        peer.handshake()
        alert = refuse(peer)
        going(peer)
        peer.sock.settimeout(mode.timeout)
        if send == "sendfile" and mode.timeout == 0:
            with pytest.raises(ValueError, match="non-blocking"):
                SENDS[send](peer.sock)
            return
        error = raised(peer.sock, SENDS[send])
        assert type(error) is GOING[going]
        assert is_refusal(error.__cause__, alert)
        assert is_refusal(raised(peer.sock, CALLS["read"]), alert), "a read would have told it before"
        error = raised(peer.sock, CALLS["read"])
        assert type(error) is ConnectionResetError, "a refusal is not the end of the data"
        assert is_refusal(error.__cause__, alert)
        for call in ("write", "unwrap", "do_handshake"):
            error = raised(peer.sock, CALLS[call])
            assert type(error) is BrokenPipeError
            assert is_refusal(error.__cause__, alert)


@beside_ssl
@pytest.mark.parametrize("going", GOING, ids=lambda going: going.__name__)
@pytest.mark.parametrize("send", ["send", "unwrap"] if sys.version_info >= (3, 13) else ["unwrap"])
def test_the_class_after_an_alert_is_that_of_ssl(
    certificates: Certificates, version: Any, mode: Mode, send: str, going: Callable[[Peer], None]
) -> None:
    with a_peer(certificates, version, standard) as peer:
        peer.handshake()
        alert = refuse(peer)
        going(peer)
        peer.sock.settimeout(mode.timeout)
        error = raised(peer.sock, SENDS[send])
        assert type(error) is GOING[going]
        assert error.__cause__ is None
        if send == "send":
            assert is_refusal(raised(peer.sock, CALLS["read"]), alert)


@pytest.mark.parametrize("first", ["write", "read"])
def test_data_before_the_alert_can_still_be_read(
    certificates: Certificates, version: Any, mode: Mode, first: str
) -> None:
    """The alert is behind it, and is the cause as soon as the data has been read."""
    with a_peer(certificates, version) as peer:
        peer.handshake()
        peer.deliver(peer.encrypt(b"answer"))
        alert = refuse(peer)
        reset(peer)
        peer.sock.settimeout(mode.timeout)
        if first == "write":
            assert raised(peer.sock, CALLS["write"]).__cause__ is None
        assert driven(peer.sock, peer.sock.recv, 3) == b"ans"
        assert driven(peer.sock, peer.sock.recv, 100) == b"wer"
        error = raised(peer.sock, CALLS["write"])
        assert type(error) is (BrokenPipeError if first == "write" else ConnectionResetError)
        assert is_refusal(error.__cause__, alert)
        assert is_refusal(raised(peer.sock, CALLS["read"]), alert)


@reference("python/cpython#110197", "openssl/openssl#8500")
@pytest.mark.parametrize("going", GOING, ids=lambda going: going.__name__)
def test_a_client_without_a_certificate_learns_that_one_is_required(
    certificates: Certificates, version: Any, mode: Mode, going: Callable[[Peer], None]
) -> None:
    """In TLS 1.3 its handshake has ended when the server refuses it; in TLS 1.2 the handshake fails."""
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    with Peer(certificates.client_context(version), server, handshake=False) as peer:
        in_the_middle_of_the_handshake(peer)
        attempt(peer.sock.do_handshake)
        peer.drain()
        with pytest.raises(standard.SSLError, match=r"(?i)peer.did.not.return.a.certificate"):
            peer.tls.do_handshake()
        peer.deliver(peer.outgoing.read())
        if version == tls.TLSVersion.TLSv1_2:
            reset(peer)
            peer.sock.settimeout(mode.timeout)
            assert is_refusal(raised(peer.sock, CALLS["do_handshake"]), "ALERT_HANDSHAKE_FAILURE")
            return
        going(peer)
        peer.sock.settimeout(mode.timeout)
        error = raised(peer.sock, CALLS["write"])
        assert type(error) is GOING[going]
        assert is_refusal(error.__cause__, "TLSV13_ALERT_CERTIFICATE_REQUIRED")


# --- asyncio ----------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def refused(way: Way, certificates: Certificates, factory: Callable[[], Any]) -> Any:
    """A client's protocol, paused; TLS 1.3's server has rejected it, and closed."""
    near, far = tcp_pair()
    near.setblocking(False)
    version = tls.TLSVersion.TLSv1_3
    server_context = certificates.server_context(version, client_ca=certificates.ca_file)

    def serve() -> None:
        with server_context.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as server:
            with pytest.raises(standard.SSLError):
                server.do_handshake()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    serving = asyncio.get_running_loop().run_in_executor(None, serve)
    protocol = await way.connect(factory, near, certificates.client_context(version))
    await serving
    try:
        yield protocol
    finally:
        protocol.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)


@reference("python/cpython#110197")
def test_a_rejected_transport_is_lost_with_the_alert(certificates: Certificates, way: Way) -> None:
    class Paused(Recorder):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.pause_reading()

    async def main() -> None:
        async with refused(way, certificates, Paused) as client:
            client.transport.write(b"request")
            error = await client.lost()
            assert isinstance(error, ConnectionError)
            assert is_refusal(error.__cause__, "TLSV13_ALERT_CERTIFICATE_REQUIRED")

    way.run(main)


@reference("python/cpython#110197")
def test_a_rejected_stream_raises_the_alert(certificates: Certificates, way: Way) -> None:
    class Streams(asyncio.StreamReaderProtocol):
        def __init__(self) -> None:
            self.reader = asyncio.StreamReader()
            super().__init__(self.reader)

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.transport = transport
            transport.pause_reading()

    async def main() -> None:
        async with refused(way, certificates, Streams) as client:
            reader = client.reader
            writer = asyncio.StreamWriter(client.transport, client, reader, asyncio.get_running_loop())
            writer.write(b"request")
            with pytest.raises(ConnectionError):  # asyncio's own, "Connection lost"
                await writer.drain()
            for call in (writer.drain, reader.read):
                with pytest.raises(ConnectionError) as error:
                    await call()
                assert is_refusal(error.value.__cause__, "TLSV13_ALERT_CERTIFICATE_REQUIRED")

    way.run(main)
