"""wrap_socket() and wrap_bio(): what they reject, and what happens to the socket."""

from __future__ import annotations

import contextlib
import socket
import ssl as standard
import subprocess
import sys
from collections.abc import Iterator
from errno import EBADF
from typing import Any

import pytest

from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.servers import Server
from tests.kit.sockets import handshake, tcp_pair
from tests.kit.subject import tls
from tests.kit.threads import Task


@pytest.fixture
def client() -> Any:
    return tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def server() -> Any:
    return tls.SSLContext(tls.PROTOCOL_TLS_SERVER)


@pytest.fixture
def plain() -> Iterator[socket.socket]:
    one, other = socket.socketpair()
    with one, other:
        yield one


def bios() -> tuple[Any, Any]:
    return tls.MemoryBIO(), tls.MemoryBIO()


WRONG = [
    ("server", {"server_side": True, "server_hostname": "x"}, "server_hostname can only be specified in client mode"),
    ("server", {"server_side": True, "session": 3}, "session can only be specified in client mode"),
    ("client", {}, "check_hostname requires server_hostname"),
    ("client", {"server_hostname": ""}, "check_hostname requires server_hostname"),
    ("client", {"server_side": True}, "check_hostname requires server_hostname"),
]


@pytest.mark.parametrize(("context", "arguments", "message"), WRONG)
def test_contradictory_arguments_are_rejected(
    request: pytest.FixtureRequest, plain: socket.socket, context: str, arguments: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        request.getfixturevalue(context).wrap_socket(plain, **arguments)
    assert plain.fileno() != -1
    with pytest.raises(ValueError, match=message):
        request.getfixturevalue(context).wrap_bio(*bios(), **arguments)


def test_a_context_serves_only_its_own_role(client: Any, server: Any, plain: socket.socket) -> None:
    client.check_hostname = False
    with pytest.raises(tls.SSLError, match="Cannot create a server socket with a PROTOCOL_TLS_CLIENT context"):
        client.wrap_bio(*bios(), server_side=True)
    with pytest.raises(tls.SSLError, match="Cannot create a client socket with a PROTOCOL_TLS_SERVER context"):
        server.wrap_socket(plain)


def test_only_stream_sockets_are_wrapped(client: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(NotImplementedError, match="only stream sockets are supported"):
            client.wrap_socket(datagrams, server_hostname="x")
        assert datagrams.fileno() != -1


def test_the_wrapped_socket_keeps_its_timeout(client: Any, plain: socket.socket) -> None:
    plain.settimeout(3)
    number = plain.fileno()
    with client.wrap_socket(plain, server_hostname="x", do_handshake_on_connect=False) as wrapped:
        assert plain.fileno() == -1
        assert wrapped.fileno() == number
        assert wrapped.gettimeout() == 3
        assert (wrapped.family, wrapped.type, wrapped.proto) == (plain.family, plain.type, plain.proto)
        assert wrapped.context is client
        assert wrapped.server_side is False
        assert wrapped.server_hostname == "x"


def test_wrapping_a_non_blocking_socket_cannot_include_the_handshake(client: Any, plain: socket.socket) -> None:
    plain.setblocking(False)
    with pytest.raises(ValueError, match="do_handshake_on_connect should not be specified for non-blocking sockets"):
        client.wrap_socket(plain, server_hostname="x")
    assert plain.fileno() == -1


def test_a_failed_handshake_closes_the_socket(certificates: Certificates) -> None:
    near, far = tcp_pair()
    with far:
        task = Task(certificates.server_context().wrap_socket, far, server_side=True)
        with pytest.raises(tls.SSLCertVerificationError) as caught:
            certificates.client_context(ca_file=certificates.other_ca_file).wrap_socket(near, server_hostname=HOST)
        assert near.fileno() == -1
        assert isinstance(caught.value, ValueError)
        assert caught.value.verify_code in {19, 20}
        with pytest.raises(OSError, match=r".*"):
            task.result()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("localhost", "localhost"),
        (b"localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("faß.example", "fass.example"),  # IDNA 2003
        ("-_a", "-_a"),
        ("127.0.0.1", "127.0.0.1"),
        (None, None),
    ],
)
def test_a_name_is_an_a_label(client: Any, given: Any, name: str | None) -> None:
    client.check_hostname = False
    assert client.wrap_bio(*bios(), server_hostname=given).server_hostname == name


@pytest.mark.parametrize("name", [".x", "a" * 64 + ".x", b"ab\xff"])
def test_an_invalid_name_is_a_unicode_error(client: Any, plain: socket.socket, name: Any) -> None:
    with pytest.raises(UnicodeError):
        client.wrap_bio(*bios(), server_hostname=name)
    with pytest.raises(UnicodeError):
        client.wrap_socket(plain, server_hostname=name)
    assert plain.fileno() == -1


PLAIN_NAMES = """
import socket
import sys
import wiretight

context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
for name in ("localhost", "www.example.com", "Example.COM.", ".".join(["a" * 63] * 3)):
    wrapped = context.wrap_bio(wiretight.MemoryBIO(), wiretight.MemoryBIO(), server_hostname=name)
    assert wrapped.server_hostname == name
    with context.wrap_socket(socket.socket(), server_hostname=name) as wrapped:
        assert wrapped.server_hostname == name
assert "encodings.idna" not in sys.modules
context.wrap_bio(wiretight.MemoryBIO(), wiretight.MemoryBIO(), server_hostname="b\\xfccher.example")
assert "encodings.idna" in sys.modules
"""


def test_an_ascii_name_does_not_use_the_idna_codec() -> None:
    subprocess.run([sys.executable, "-c", PLAIN_NAMES], check=True)


def test_a_subclass_may_encode_names_in_its_own_way(plain: socket.socket) -> None:
    class Context(tls.SSLContext):
        def _encode_hostname(self, hostname: Any) -> Any:
            return None if hostname is None else f"{hostname}.example"

    context = Context(tls.PROTOCOL_TLS_CLIENT)
    plain.setblocking(False)
    assert context.wrap_bio(*bios(), server_hostname="x").server_hostname == "x.example"
    with context.wrap_socket(plain, server_hostname="x", do_handshake_on_connect=False) as wrapped:
        assert wrapped.server_hostname == "x.example"


def test_a_name_with_a_null_character_is_a_type_error(client: Any) -> None:
    with pytest.raises(TypeError):
        client.wrap_bio(*bios(), server_hostname="a\0b")


def test_a_server_may_have_a_name_of_one_letter(certificates: Certificates, version: Any) -> None:
    server = certificates.server_context(version, credentials=certificates.one_letter)
    pair = Pair(certificates.client_context(version), server, server_hostname="x")
    pair.handshake()
    assert pair.client.server_hostname == "x"


@pytest.mark.parametrize("name", ["localhost.", "*.example", "a b", "-a", "localhost:443", "[::1]"])
def test_no_certificate_matches_an_invalid_name(certificates: Certificates, version: Any, name: str) -> None:
    pair = Pair(certificates.client_context(version), certificates.server_context(version), server_hostname=name)
    with pytest.raises(tls.SSLCertVerificationError, match=r"(?i:hostname mismatch)"):
        pair.handshake()


def test_wrapping_accepts_the_calls_of_other_libraries(certificates: Certificates) -> None:
    context = certificates.client_context()
    incoming, outgoing = bios()
    # anyio, trio and httpcore.
    context.wrap_bio(incoming, outgoing, False, HOST.encode(), None)
    context.wrap_bio(incoming=incoming, outgoing=outgoing, server_hostname=HOST)


def test_the_standard_librarys_bios_are_accepted(certificates: Certificates, version: Any) -> None:
    pair = Pair(certificates.client_context(version), certificates.server_context(version))
    incoming, outgoing = standard.MemoryBIO(), standard.MemoryBIO()
    pair.client = pair.to_client.receiver = certificates.client_context(version).wrap_bio(
        incoming, outgoing, server_hostname=HOST
    )
    pair.to_server.outgoing, pair.to_client.incoming = outgoing, incoming
    pair.handshake()
    assert pair.transfer(b"data" * 10_000, pair.client) == b"data" * 10_000
    assert pair.transfer(b"data" * 10_000, pair.server) == b"data" * 10_000


# --- Classes of the caller's ----------------------------------------------------------------------------------------


def test_a_context_creates_instances_of_its_configured_classes(
    certificates: Certificates, client: Any, plain: socket.socket
) -> None:
    class Socket(tls.SSLSocket):
        pass

    class Object(tls.SSLObject):
        pass

    assert client.sslsocket_class is tls.SSLSocket
    assert client.sslobject_class is tls.SSLObject
    client.sslsocket_class, client.sslobject_class = Socket, Object
    assert type(client.wrap_bio(*bios(), server_hostname="x")) is Object
    with client.wrap_socket(plain, server_hostname="x", do_handshake_on_connect=False) as wrapped:
        assert type(wrapped) is Socket


def test_classes_that_derive_from_the_standard_librarys_work_too(certificates: Certificates, version: Any) -> None:
    # pymongo's sslobject_class; and what eventlet does to sockets.
    class Socket(standard.SSLSocket):
        pass

    class Object(standard.SSLObject):
        pass

    client, server = certificates.client_context(version), certificates.server_context(version)
    client.sslsocket_class, client.sslobject_class = Socket, Object
    pair = Pair(client, server)
    pair.handshake()
    assert type(pair.client) is Object
    assert pair.transfer(b"data", pair.client) == b"data"

    near, far = tcp_pair()
    with (
        client.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False) as one,
        server.wrap_socket(far, server_side=True, do_handshake_on_connect=False) as other,
    ):
        handshake(one, other)
        assert type(one) is Socket
        one.sendall(b"data")
        assert other.recv(4) == b"data"


# --- Connecting -------------------------------------------------------------------------------------------------------


def test_a_socket_is_wrapped_before_it_is_connected(certificates: Certificates, version: Any) -> None:
    with Server(certificates.server_context(version)) as server:
        wrapped = certificates.client_context(version).wrap_socket(socket.socket(), server_hostname=HOST)
        with wrapped:
            assert wrapped.version() is None
            with pytest.raises(OSError, match=r"not connected|Broken pipe"):
                wrapped.recv(1)
            wrapped.connect(server.address)
            assert wrapped.version() == server.next_seen().version
            with pytest.raises(ValueError, match="attempt to connect already-connected SSLSocket!"):
                wrapped.connect(server.address)
            wrapped.unwrap()


def test_connect_ex_returns_the_error_of_the_connection(certificates: Certificates) -> None:
    with socket.create_server((ADDRESS, 0)) as listener:
        nobody = listener.getsockname()
    with certificates.client_context().wrap_socket(socket.socket(), server_hostname=HOST) as wrapped:
        assert wrapped.connect_ex(nobody) != 0
        with pytest.raises(ConnectionRefusedError):
            wrapped.connect(nobody)
    with Server(certificates.server_context()) as server:
        wrapped = certificates.client_context().wrap_socket(socket.socket(), server_hostname=HOST)
        with wrapped:
            assert wrapped.connect_ex(server.address) == 0
            assert wrapped.version() == "TLSv1.3"
            wrapped.unwrap()


def test_connecting_a_closed_socket_fails_as_without_tls(certificates: Certificates, version: Any) -> None:
    wrapped = certificates.client_context(version).wrap_socket(socket.socket(), server_hostname=HOST)
    wrapped.close()
    assert wrapped.connect_ex((ADDRESS, 443)) == EBADF
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        wrapped.connect((ADDRESS, 443))
    assert caught.value.errno == EBADF


def test_a_refused_connection_can_be_retried(certificates: Certificates, version: Any) -> None:
    with socket.create_server((ADDRESS, 0)) as listener:
        nobody = listener.getsockname()
    with Server(certificates.server_context(version)) as server:
        wrapped = certificates.client_context(version).wrap_socket(socket.socket(), server_hostname=HOST)
        with wrapped:
            with pytest.raises(ConnectionRefusedError):
                wrapped.connect(nobody)
            wrapped.connect(server.address)
            wrapped.sendall(b"again")
            assert wrapped.recv(5) == b"again"
            wrapped.unwrap()


@contextlib.contextmanager
def listening() -> Iterator[Any]:
    with socket.create_server((ADDRESS, 0)) as listener:
        yield listener


def test_a_connection_in_progress_sends_no_plaintext(certificates: Certificates, version: Any) -> None:
    # The standard library takes TLS off where connect() raises, and BlockingIOError says only "in progress".
    with listening() as listener:
        wrapped = certificates.client_context(version).wrap_socket(
            socket.socket(), server_hostname=HOST, do_handshake_on_connect=False
        )
        with wrapped:
            wrapped.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                wrapped.connect(listener.getsockname())
            accepted, _ = listener.accept()
            with certificates.server_context(version).wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            ) as other:
                handshake(wrapped, other)
                wrapped.setblocking(True)
                wrapped.sendall(b"secret")
                assert other.recv(6) == b"secret"


def test_a_rejected_certificate_leaves_no_plaintext_connection(certificates: Certificates, version: Any) -> None:
    with Server(certificates.server_context(version), ragged_eof_ok=True) as server:
        wrapped = certificates.client_context(version, ca_file=certificates.other_ca_file).wrap_socket(
            socket.socket(), server_hostname=HOST
        )
        with wrapped:
            with pytest.raises(tls.SSLCertVerificationError):
                wrapped.connect(server.address)
            with pytest.raises(OSError, match=r".*"):
                wrapped.send(b"secret")
        assert isinstance(server.next_error(), tls.SSLError)


def test_a_servers_socket_cannot_connect(certificates: Certificates) -> None:
    with certificates.server_context().wrap_socket(socket.socket(), server_side=True) as wrapped:
        with pytest.raises(ValueError, match="can't connect in server-side mode"):
            wrapped.connect((ADDRESS, 1))


def test_a_listener_accepts_tls(certificates: Certificates, version: Any) -> None:
    context = certificates.server_context(version)
    plain = socket.create_server((ADDRESS, 0))
    with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as listener:
        near = socket.create_connection(listener.getsockname())
        task = Task(certificates.client_context(version).wrap_socket, near, server_hostname=HOST)
        accepted, address = listener.accept()
        with accepted, task.result() as connected:
            assert type(accepted) is tls.SSLSocket
            assert address == connected.getsockname()
            assert accepted.server_side is True
            assert accepted.suppress_ragged_eofs is False
            connected.sendall(b"hello")
            assert accepted.recv(5) == b"hello"


def test_data_from_before_tls_on_a_closed_connection_is_never_returned(certificates: Certificates) -> None:
    near, far = tcp_pair()
    far.sendall(b"unauthenticated")
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    near.recv(1)
    far.close()  # a reset: getpeername() then fails, and recv() may still have data
    with pytest.raises(OSError, match=r".*"):
        certificates.server_context().wrap_socket(near, server_side=True)
    near.close()
