"""Details that programs written for `ssl` depend on."""

from __future__ import annotations

import gc
import ssl as standard
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair


class Text(str):
    """As Django, Jinja and numpy have their own, and as a member of an enumeration is one."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"for nobody here"


class Bytes(bytes):
    __slots__ = ()


TEXTS: dict[str, Callable[[Any, Certificates], object]] = {
    "paths": lambda it, made: it.load_cert_chain(Text(made.server.chain), Text(made.server.key)),
    "paths in bytes": lambda it, made: it.load_cert_chain(
        Bytes(bytes(made.server.chain)), Bytes(bytes(made.server.key))
    ),
    "a password that is not needed": lambda it, made: it.load_cert_chain(
        made.server.chain, made.server.key, Text("secret")
    ),
    "a file of CA certificates": lambda it, made: it.load_verify_locations(Text(made.ca_file)),
    "a file of CA certificates, in bytes": lambda it, made: it.load_verify_locations(Bytes(bytes(made.ca_file))),
    "a folder of CA certificates, in bytes": lambda it, made: it.load_verify_locations(None, Bytes(b"/")),
    "CA certificates": lambda it, made: it.load_verify_locations(cadata=Text(made.ca_file.read_text())),
    "ciphers": lambda it, made: it.set_ciphers(Text("HIGH")),
    "a curve": lambda it, made: it.set_ecdh_curve(Text("prime256v1")),
    "protocols": lambda it, made: it.set_alpn_protocols([Text("h2")]),
}

removed = pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12's ssl has none of these names")


@removed
def test_names_that_only_this_pythons_ssl_has_exist() -> None:
    assert wiretight.match_hostname is standard.match_hostname
    with pytest.deprecated_call():
        octets, strong = wiretight.RAND_pseudo_bytes(16)
    assert len(octets) == 16
    assert strong


@removed
def test_wrap_socket_without_a_context_connects() -> None:
    import socket

    with pytest.deprecated_call(), wiretight.wrap_socket(socket.socket()) as tls:
        assert isinstance(tls, wiretight.SSLSocket)
        assert tls.context.verify_mode == wiretight.CERT_NONE


@removed
@pytest.mark.parametrize("arguments", [{"server_side": True}, {"keyfile": "key.pem"}], ids=str)
def test_wrap_socket_without_a_context_requires_a_certificate_with_its_key(arguments: dict[str, Any]) -> None:
    import socket

    refused = pytest.raises(ValueError, match="certfile must be specified")
    with pytest.deprecated_call(), socket.socket() as raw, refused:
        wiretight.wrap_socket(raw, **arguments)


@pytest.mark.parametrize("name", ["context", "owner", "session", "session_reused"])
def test_nothing_can_be_deleted_from_a_connection(pair: Pair, name: str) -> None:
    with pytest.raises(AttributeError, match="cannot be deleted"):
        delattr(pair.client._sslobj, name)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("module", [standard, wiretight], ids=lambda module: module.__name__)
def test_text_may_be_of_a_class_of_the_program(name: str, module: Any, certificates: Certificates) -> None:
    TEXTS[name](module.SSLContext(module.PROTOCOL_TLS_SERVER), certificates)


def test_so_may_the_text_of_our_own_methods() -> None:
    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
    context.set_ciphersuites(Text("TLS_AES_128_GCM_SHA256"))
    context.set_groups(Text("prime256v1"))
    context.set_client_sigalgs(Text("ed25519"))
    context.set_server_sigalgs(Text("ed25519"))
    with pytest.raises(TypeError, match="grouplist must be str, not bytes"):
        context.set_groups(b"prime256v1")  # type: ignore[arg-type]


def test_so_may_the_text_of_connections_and_certificates(certificates: Certificates, pair: Pair) -> None:
    pair.handshake()
    assert len(pair.client.get_channel_binding(Text("tls-server-end-point"))) == 32
    assert len(pair.client.export_keying_material(Text("EXPERIMENTAL-of-ours"), 32)) == 32
    assert wiretight._txt2obj(Text("serverAuth"), True)[3] == "1.3.6.1.5.5.7.3.1"
    certificate = wiretight.Certificate.from_der(pair.client.getpeercert(True))
    assert certificate.fingerprint(Text("sha1")) == certificate.fingerprint("sha1")
    with pytest.raises(TypeError):
        certificate.fingerprint(b"sha1")  # type: ignore[arg-type]


def test_a_verify_callback_may_refuse_with_such_text(client_context: Any, server_context: Any) -> None:
    client_context.verify_callback = lambda _, verification: verification.refuse(Text("not on our list"))
    with pytest.raises(wiretight.SSLCertVerificationError) as caught:
        Pair(client_context, server_context).handshake()
    assert caught.value.verify_message == "not on our list"


@pytest.mark.parametrize("load", ["load_cert_chain", "load_dh_params", "load_verify_locations"])
def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path, load: str) -> None:
    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
    with pytest.raises(IsADirectoryError) as caught:
        getattr(context, load)(tmp_path)
    assert caught.value.filename == str(tmp_path)


@pytest.mark.parametrize("load", ["load_cert_chain", "load_dh_params"])
@pytest.mark.parametrize("module", [standard, wiretight], ids=lambda module: module.__name__)
def test_a_path_is_asked_for_once(tmp_path: Path, load: str, module: Any) -> None:
    class Asked:
        times = 0

        def __fspath__(self) -> str:
            self.times += 1
            return str(tmp_path)

    asked = Asked()
    with pytest.raises(OSError):  # noqa: PT011 - `ssl` raises another
        getattr(module.SSLContext(module.PROTOCOL_TLS_SERVER), load)(asked)
    assert asked.times == 1


def test_an_sni_callback_is_not_called_for_an_unreferenced_connection(
    certificates: Certificates, server_context: Any, client_context: Any
) -> None:
    called: list[object] = []
    server_context.sni_callback = lambda *arguments: called.append(arguments)
    pair = Pair(client_context, server_context)
    with pytest.raises(wiretight.SSLWantReadError):
        pair.client.do_handshake()
    pair.to_server.incoming.write(pair.to_server.outgoing.read())
    low_level = pair.server._sslobj
    del pair.server, pair.to_server.receiver
    gc.collect()
    with pytest.raises(wiretight.SSLError, match="callback failed"):
        low_level.do_handshake()
    assert not called


def test_bytes_after_a_der_certificate_are_rejected(certificates: Certificates) -> None:
    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    der = wiretight.PEM_cert_to_DER_cert(certificates.ca_file.read_text())
    with pytest.raises(wiretight.SSLError):
        context.load_verify_locations(cadata=der + b"A")
    assert context.cert_store_stats()["x509"] == 0
    context.load_verify_locations(cadata=der + der)
    assert context.cert_store_stats()["x509"] == 1


def test_a_chain_of_one_is_completed_from_the_trusted_certificates(certificates: Certificates) -> None:
    """As in `ssl`: a certificate file without its issuer still makes a chain that the peer can verify."""
    server = certificates.server_context(client_ca=certificates.ca_file)
    client = certificates.client_context(credentials=certificates.client)
    pair = Pair(client, server)
    pair.handshake()
    sent = pair.server.get_unverified_chain()
    issuer = wiretight.PEM_cert_to_DER_cert(certificates.ca_file.read_text())
    assert len(sent) == 2
    assert bytes(sent[1]) == issuer


def test_functions_that_create_contexts_use_a_replaced_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """gevent and truststore rely on it."""

    class Mine(wiretight.SSLContext):
        pass

    monkeypatch.setattr(wiretight, "SSLContext", Mine)
    for make in (
        wiretight.create_default_context,
        wiretight._create_unverified_context,
        wiretight._create_stdlib_context,
        wiretight._create_default_https_context,
    ):
        assert type(make()) is Mine


def test_properties_of_a_subclass_are_not_accessed_before_its_creation() -> None:
    """truststore's context delegates every property to another context, which it creates in __init__."""

    class Outer(wiretight.SSLContext):
        def __init__(self, protocol: int) -> None:
            self.inner = wiretight.SSLContext(protocol)

        check_hostname = property(lambda self: self.inner.check_hostname)  # type: ignore[assignment]
        verify_mode = property(lambda self: self.inner.verify_mode)  # type: ignore[assignment]

    assert Outer(wiretight.PROTOCOL_TLS_CLIENT).check_hostname is True


@pytest.mark.skipif(not hasattr(standard._ssl, "err_codes_to_names"), reason="Python 3.12 took them away")
def test_the_tables_of_errors_are_there() -> None:
    low_level: Any = wiretight._ssl
    code = low_level.err_names_to_codes["NO_SHARED_CIPHER"]
    assert code == standard._ssl.err_names_to_codes["NO_SHARED_CIPHER"]
    assert low_level.err_codes_to_names[code] == "NO_SHARED_CIPHER"
    assert low_level.lib_codes_to_names[code[0]] == "SSL"
