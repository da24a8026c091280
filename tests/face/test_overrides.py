"""Methods that a program overrides in SSLSocket are called where `ssl` calls them."""

from __future__ import annotations

import ssl as standard
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.install.program import succeeds
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.servers import Server, echo
from tests.kit.sockets import WITH_TIMEOUT, tls_sockets
from tests.kit.subject import tls
from wiretight._asyncio.takeover import can_drive

PUBLIC = (
    "connect", "do_handshake", "getpeername", "gettimeout", "read", "recv", "recv_into", "send", "sendall", "write",
)  # fmt: skip
DATA = b"a line\n" * 20


def recording(base: type) -> tuple[type, list[str]]:
    """A subclass that writes down which of its methods are called."""
    called: list[str] = []

    def recorded(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            called.append(name)
            return getattr(super(kind, self), name)(*args, **kwargs)

        return method

    names = (*PUBLIC, "settimeout", "setblocking", "getblocking")
    kind: type = type("Recording", (base,), {name: recorded(name) for name in names})
    return kind, called


@contextmanager
def recorded_pair(module: Any, certificates: Certificates) -> Iterator[tuple[Any, Any, list[str]]]:
    client_context = certificates.client_context(tls.TLSVersion.TLSv1_3, module=module)
    server_context = certificates.server_context(tls.TLSVersion.TLSv1_3, module=module)
    client_context.sslsocket_class, called = recording(module.SSLSocket)
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT) as (client, server):
        yield client, server, called


CALLS: dict[str, Callable[[Any, Path], object]] = {
    "send": lambda sock, _: sock.send(DATA),
    "sendall": lambda sock, _: sock.sendall(DATA),
    "write": lambda sock, _: sock.write(DATA),
    "sendfile": lambda sock, path: sock.sendfile(path.open("rb")),
    "recv": lambda sock, _: sock.recv(10),
    "recv_into": lambda sock, _: sock.recv_into(bytearray(10)),
    "recv_into, some": lambda sock, _: sock.recv_into(bytearray(10), 5),
    "recv_into, none": lambda sock, _: sock.recv_into(None, 5),
    "read": lambda sock, _: sock.read(10),
    "read, buffer": lambda sock, _: sock.read(10, bytearray(10)),
    "a file's read": lambda sock, _: sock.makefile("rb").readline(),
    "a file's write": lambda sock, _: sock.makefile("wb", 0).write(DATA),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", CALLS)
def test_a_call_goes_through_the_same_methods_as_in_ssl(certificates: Certificates, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(DATA)
    found = []
    for module in (tls, standard):
        with recorded_pair(module, certificates) as (client, server, called):
            server.sendall(DATA)
            called.clear()
            CALLS[name](client, tmp_path / "file")
            found.append([method for method in called if method in PUBLIC])
    assert found[0] == found[1]


def test_wrapping_and_connecting_go_through_the_same_methods_as_in_ssl(certificates: Certificates) -> None:
    found = []
    for module in (tls, standard):
        context = certificates.client_context(tls.TLSVersion.TLSv1_3, module=module)
        context.sslsocket_class, called = recording(module.SSLSocket)
        server_context = certificates.server_context(tls.TLSVersion.TLSv1_3, module=module)
        with Server(server_context, echo) as server:
            with context.wrap_socket(standard.socket(), server_hostname=HOST) as client:
                called.append("wrapped")
                client.connect(server.address)
                client.unwrap().close()
                called[called.index("wrapped") + 1 :] = [name for name in called if name in {"connect", "do_handshake"}]
        found.append(called)
    assert found[0] == found[1]


def test_a_patch_of_the_class_is_called(client: Any, server: Any) -> None:
    server.sendall(DATA)
    with (
        mock.patch.object(tls.SSLSocket, "send", autospec=True, return_value=len(DATA)) as send,
        mock.patch.object(tls.SSLSocket, "read", autospec=True, return_value=b"patched") as read,
    ):
        client.sendall(DATA)
        assert client.recv(10) == b"patched"
    assert (send.call_count, read.call_count) == (1, 1)
    assert client.recv(6) == b"a line"


class Base:
    """What every class below derives from: Python changes the bases of no class that derives from nothing."""


class Replacing(Base):
    """Methods that a mix-in gets later, or inherits."""

    def send(self, data: Any, flags: int = 0) -> int:
        return len(data)

    def read(self, len: int = 1024, buffer: Any = None) -> bytes:
        return b"replaced"


def patch_the_mix_in(kind: Any, mix_in: Any) -> None:
    mix_in.send, mix_in.read = Replacing.send, Replacing.read


def change_its_bases(kind: Any, mix_in: Any) -> None:
    mix_in.__bases__ = (Replacing,)


def change_the_bases(kind: Any, mix_in: Any) -> None:
    kind.__bases__ = (Replacing, tls.SSLSocket)


@pytest.mark.parametrize(
    ("change", "mixed_in"),
    [(patch_the_mix_in, True), (change_its_bases, True), (change_the_bases, True), (change_the_bases, False)],
)
def test_a_method_is_called_wherever_the_class_comes_to_have_it_from(
    certificates: Certificates, change: Any, mixed_in: bool
) -> None:
    mix_in = type("MixIn", (Base,), {})
    kind = type("Mixed", (mix_in, tls.SSLSocket) if mixed_in else (tls.SSLSocket,), {})
    client_context = certificates.client_context(tls.TLSVersion.TLSv1_3)
    client_context.sslsocket_class = type("Derived", (kind,), {})
    with tls_sockets(client_context, certificates.server_context(tls.TLSVersion.TLSv1_3)) as (client, server):
        client.sendall(b"sent")
        server.sendall(DATA)
        assert (client.recv(7), server.recv(100)) == (b"a line\n", b"sent")
        change(kind, mix_in)
        client.sendall(b"nothing of this is sent")
        assert client.recv(10) == b"replaced"


def test_a_mix_in_without_such_methods_changes_nothing(certificates: Certificates) -> None:
    client_context = certificates.client_context(tls.TLSVersion.TLSv1_3)
    client_context.sslsocket_class = type("Mixed", (Base, tls.SSLSocket), {})
    with tls_sockets(client_context, certificates.server_context(tls.TLSVersion.TLSv1_3)) as (client, server):
        server.sendall(DATA)
        space = bytearray(7)
        assert (client.recv(7), client.recv_into(space), space) == (b"a line\n", 7, b"a line\n")
        client.settimeout(0.05)
        with pytest.raises(TimeoutError, match="write operation timed out"):
            client.sendall(bytes(50_000_000))


def test_an_attribute_that_only_objects_have_is_called(certificates: Certificates) -> None:
    class Mine(tls.SSLSocket):
        @types.DynamicClassAttribute
        def read(self) -> Callable[..., bytes]:  # type: ignore[override]
            return lambda *_: b"mine"

    context = certificates.client_context()
    context.sslsocket_class = Mine
    with tls_sockets(context, certificates.server_context()) as (near, _):
        assert near.recv(10) == b"mine"


@pytest.mark.parametrize("change", ["mix-in", "bases"])
@pytest.mark.parametrize("name", ["do_handshake", "read", "write", "unwrap", "_create"])
def test_asyncio_drives_no_object_that_a_mix_in_has_a_method_for(name: str, change: str) -> None:
    kind: Any = type("Mixed", (type("MixIn", (Base,), {}), tls.SSLObject), {})
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.sslobject_class = kind
    assert can_drive(context)
    method = classmethod(replaced) if name == "_create" else replaced
    if change == "mix-in":
        setattr(kind.__bases__[0], name, method)
    else:
        kind.__bases__ = (type("Other", (Base,), {name: method}), tls.SSLObject)
    assert not can_drive(context)


@pytest.mark.parametrize("change", ["mix-in", "bases"])
def test_asyncio_drives_no_context_that_a_mix_in_has_wrap_bio_for(change: str) -> None:
    kind: Any = type(tls.SSLContext)("Mixed", (type("MixIn", (Base,), {}), tls.SSLContext), {})
    context = kind(tls.PROTOCOL_TLS_CLIENT)
    assert can_drive(context)
    if change == "mix-in":
        kind.__bases__[0].wrap_bio = replaced
    else:
        kind.__bases__ = (type("Other", (Base,), {"wrap_bio": replaced}), tls.SSLContext)
    assert not can_drive(context)


def replaced(*args: Any, **options: Any) -> None:
    raise AssertionError("it is not called here")


def test_a_method_of_the_object_is_called(client: Any) -> None:
    client.send = mock.Mock(return_value=1)
    client.sendall(b"ab")
    assert client.send.call_count == 2


def test_a_program_after_install_overrides_read_and_send(certificates: Certificates) -> None:
    succeeds(
        """
        import socket, sys, threading
        import wiretight
        wiretight.install()
        import ssl
        ca, certificate, key, host = sys.argv[1:]

        class Counting(ssl.SSLSocket):
            sent = received = 0

            def send(self, data, flags=0):
                count = super().send(data, flags)
                self.sent += count
                return count

            def read(self, len=1024, buffer=None):
                got = super().read(len, buffer)
                self.received += got if isinstance(got, int) else got.__len__()
                return got

        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(certificate, key)
        context = ssl.create_default_context(cafile=ca)
        context.sslsocket_class = Counting
        near, far = socket.socketpair()
        served = []
        thread = threading.Thread(target=lambda: served.append(server_context.wrap_socket(far, server_side=True)))
        thread.start()
        with context.wrap_socket(near, server_hostname=host) as client:
            thread.join()
            with served[0] as server:
                client.sendall(bytes(1000))
                server.sendall(b"line")
                client.recv(10)
                assert (client.sent, client.received) == (1000, 4)
        """,
        certificates.ca_file,
        *certificates.server,
        HOST,
    )


# --- A socket that is not connected ----------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0.3, None, 0.0])
def test_a_listener_is_wrapped_whatever_its_timeout(server_context: Any, timeout: float | None) -> None:
    with standard.socket() as listener:
        listener.bind((ADDRESS, 0))
        listener.listen()
        listener.settimeout(timeout)
        with server_context.wrap_socket(listener, server_side=True) as wrapped:
            assert wrapped.gettimeout() == timeout
            assert wrapped.getblocking() is (timeout != 0)


@pytest.mark.parametrize("when", ["defined", "patched"])
def test_a_method_that_getattribute_gives_is_called(certificates: Certificates, when: str) -> None:
    def given(self: Any, name: str) -> Any:
        if name == "read":
            return lambda *_: b"given"
        return (lambda data: len(data)) if name == "send" else object.__getattribute__(self, name)

    kind = type(tls.SSLSocket)("Giving", (tls.SSLSocket,), {"__getattribute__": given} if when == "defined" else {})
    client_context = certificates.client_context(tls.TLSVersion.TLSv1_3)
    client_context.sslsocket_class = kind
    with tls_sockets(client_context, certificates.server_context(tls.TLSVersion.TLSv1_3)) as (client, server):
        if when == "patched":
            kind.__getattribute__ = given
        client.sendall(b"nothing of this is sent")
        assert client.recv(10) == b"given"
        del kind.__getattribute__
        client.sendall(b"x")
        assert server.recv(10) == b"x"
        server.sendall(b"y")
        assert client.recv(10) == b"y"
