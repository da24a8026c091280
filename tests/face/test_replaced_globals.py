"""A program's replacements of other modules' functions and classes do not affect TLS."""

from __future__ import annotations

import io
import os
import socket
import ssl as standard
import time
from typing import Any
from unittest import mock

import pytest

import wiretight
from tests.install.program import succeeds
from tests.kit.certificates import Certificates
from tests.kit.sockets import WITH_TIMEOUT, tls_sockets
from tests.kit.subject import tls

FILE_FUNCTIONS = ["os.stat", "os.fstat", "os.lseek", "os.open", "os.fsencode", "io.open", "builtins.open"]


class Traced(socket.socket):
    """What a tracer or a SOCKS client puts into socket.socket."""


def test_a_replaced_socket_class_does_not_affect_tls(
    client_context: Any, server_context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", Traced)
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT) as (client, server):
        client.sendall(b"hello")
        assert server.recv(10) == b"hello"
        client.shutdown(socket.SHUT_WR)
        assert server.recv(10) == b""


@pytest.mark.parametrize("before", ["import ssl", "pass"], ids=["after ssl", "before ssl"])
def test_nor_is_one_that_is_there_before_wiretight(certificates: Certificates, before: str) -> None:
    succeeds(
        f"""
        {before}
        import socket, sys, threading

        class Proxied(socket.socket):  # as PySocks has it
            def __init__(self, family=socket.AF_INET, type=socket.SOCK_STREAM, proto=0, *args, **options):
                super().__init__(family, type, proto, *args, **options)

        socket.socket = Proxied
        import wiretight as tls
        server_context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(sys.argv[1], sys.argv[2])
        client_context = tls.create_default_context(cafile=sys.argv[3])

        def serve():
            with server_context.wrap_socket(listener.accept()[0], server_side=True) as server:
                server.send(b"x")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve)
            thread.start()
            raw = socket.create_connection(listener.getsockname())
            with client_context.wrap_socket(raw, server_hostname="localhost") as client:
                assert client.recv(1) == b"x"
                assert client.recv(1) == b""
            thread.join()
        """,
        *certificates.server,
        certificates.ca_file,
    )


@pytest.mark.parametrize("name", FILE_FUNCTIONS)
def test_certificates_come_from_the_real_file_system(certificates: Certificates, name: str) -> None:
    tls.clear_trust_cache()
    with mock.patch(name, side_effect=OSError(2, "not in the fake file system")):
        context = tls.create_default_context(cafile=certificates.ca_file)
    assert context.get_ca_certs()


@pytest.mark.parametrize("name", FILE_FUNCTIONS)
def test_a_default_context_trusts_the_same_under_patches(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tls.clear_trust_cache()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    with mock.patch(name, side_effect=OSError(2, "not in the fake file system")):
        context = tls.create_default_context()
    assert context.get_ca_certs()


def test_a_key_log_is_written_to_the_real_file_system(
    client_context: Any, server_context: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((os, "open"), (os, "write"), (os, "lseek"), (io, "open"), (time, "time")):
        monkeypatch.setattr(module, name, mock.Mock(side_effect=OSError(2, "not in the fake file system")))
    client_context.keylog_filename = str(tmp_path / "keys")
    with tls_sockets(client_context, server_context, mode=WITH_TIMEOUT):
        pass
    monkeypatch.undo()
    assert "CLIENT" in (tmp_path / "keys").read_text()


def test_the_same_holds_for_a_program_after_install(certificates: Certificates) -> None:
    succeeds(
        """
        import os, socket, sys
        from unittest import mock
        import wiretight
        wiretight.install()
        import ssl

        class Traced(socket.socket):
            pass

        with mock.patch("os.stat", side_effect=OSError), mock.patch("os.fstat", side_effect=OSError):
            with mock.patch("socket.socket", Traced):
                near, far = socket.socketpair()
                context = ssl.create_default_context(cafile=sys.argv[1])
                assert context.get_ca_certs()
                with far, context.wrap_socket(near, server_hostname="localhost", do_handshake_on_connect=False) as tls:
                    assert isinstance(tls, ssl.SSLSocket)
        """,
        certificates.ca_file,
    )


class Double:
    """A test double for ssl.SSLContext, with just the methods it needs."""

    def __init__(self, protocol: int) -> None:
        self.made_with = protocol
        self.verify_flags = 0

    def load_default_certs(self, purpose: Any) -> None:
        self.purpose = purpose


def test_create_default_context_configures_a_test_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "SSLContext", Double)
    context: Any = tls.create_default_context()
    assert context.made_with == tls.PROTOCOL_TLS_CLIENT
    assert context.verify_mode == tls.CERT_REQUIRED
    assert context.check_hostname
    assert context.purpose is tls.Purpose.SERVER_AUTH


class Called(Exception):
    """What was put there has been called."""


@pytest.mark.parametrize("module", [standard, wiretight], ids=["ssl", "wiretight"])
@pytest.mark.parametrize(
    ("name", "function", "arguments"),
    [
        ("create_connection", "get_server_certificate", [("127.0.0.1", 1)]),
        ("_create_stdlib_context", "get_server_certificate", [("127.0.0.1", 1)]),
        ("SSLContext", "create_default_context", []),
        ("SSLContext", "_create_unverified_context", []),
        ("_ssl.get_default_verify_paths", "get_default_verify_paths", []),
    ],
)
def test_a_function_uses_what_is_in_the_globals_of_its_module(
    module: Any, name: str, function: str, arguments: list[Any]
) -> None:
    with mock.patch(f"{module.__name__}.{name}", side_effect=Called), pytest.raises(Called):
        getattr(module, function)(*arguments)
