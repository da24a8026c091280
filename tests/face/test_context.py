"""The settings of a context, compared with the standard library's where possible."""

from __future__ import annotations

import gc
import socket
import ssl as standard
import sys
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.standard import compares_with_ssl
from tests.kit.subject import tls


@pytest.fixture
def client() -> Any:
    return tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def server() -> Any:
    return tls.SSLContext(tls.PROTOCOL_TLS_SERVER)


def described(context: Any) -> dict[str, Any]:
    names = [
        "protocol",
        "options",
        "verify_flags",
        "verify_mode",
        "check_hostname",
        "hostname_checks_common_name",
        "minimum_version",
        "maximum_version",
        "num_tickets",
        "post_handshake_auth",
        "security_level",
        "keylog_filename",
        "sni_callback",
    ]
    return {name: getattr(context, name) for name in names} | {"stats": context.cert_store_stats()}


@compares_with_ssl
@pytest.mark.parametrize("protocol", [tls.PROTOCOL_TLS_CLIENT, tls.PROTOCOL_TLS_SERVER])
def test_a_new_context_has_the_standard_librarys_settings(protocol: Any) -> None:
    assert described(tls.SSLContext(protocol)) == described(standard.SSLContext(protocol))


@compares_with_ssl
@pytest.mark.parametrize("purpose", list(tls.Purpose))
@pytest.mark.parametrize("maker", ["create_default_context", "_create_unverified_context"])
def test_a_default_context_has_the_standard_librarys_settings(purpose: Any, maker: str) -> None:
    ours, theirs = described(getattr(tls, maker)(purpose=purpose)), described(getattr(standard, maker)(purpose=purpose))
    if maker == "create_default_context":
        # Since Python 3.13.
        theirs["verify_flags"] |= tls.VERIFY_X509_STRICT | tls.VERIFY_X509_PARTIAL_CHAIN
    assert ours == theirs


def test_the_other_factories_are_those_of_the_standard_library() -> None:
    assert tls._create_default_https_context is tls.create_default_context
    assert tls._create_stdlib_context is tls._create_unverified_context


@pytest.mark.parametrize("maker", ["create_default_context", "_create_unverified_context"])
def test_a_purpose_must_be_a_purpose(maker: str) -> None:
    with pytest.raises(TypeError):
        getattr(tls, maker)(purpose="server")
    with pytest.raises(ValueError, match="emailProtection"):
        getattr(tls, maker)(purpose=tls._ASN1Object.fromname("emailProtection"))


def test_default_certificates_need_a_purpose(client: Any) -> None:
    with pytest.raises(TypeError):
        client.load_default_certs(3)


def test_a_key_needs_its_certificate(certificates: Certificates) -> None:
    with pytest.raises(ValueError, match="certfile must be specified"):
        tls._create_unverified_context(keyfile=certificates.server.key)


def test_checked_names_need_verified_certificates() -> None:
    context = tls._create_unverified_context(cert_reqs=tls.CERT_REQUIRED, check_hostname=True)
    assert (context.verify_mode, context.check_hostname) == (tls.CERT_REQUIRED, True)
    with pytest.raises(ValueError, match="Cannot set verify_mode to CERT_NONE when check_hostname is enabled"):
        context.verify_mode = tls.CERT_NONE
    context = tls._create_unverified_context()
    context.check_hostname = True
    assert context.verify_mode is tls.CERT_REQUIRED


@pytest.mark.parametrize("form", ["path", "text", "str data", "bytes data"])
def test_trust_comes_as_a_file_or_as_data(certificates: Certificates, form: str) -> None:
    pem = certificates.ca_file.read_text()
    given = {
        "path": {"cafile": certificates.ca_file},
        "text": {"cafile": str(certificates.ca_file)},
        "str data": {"cadata": pem},
        "bytes data": {"cadata": standard.PEM_cert_to_DER_cert(pem)},
    }[form]
    context = tls.create_default_context(**given)
    assert context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 1}
    assert context.get_ca_certs(binary_form=True) == [standard.PEM_cert_to_DER_cert(pem)]
    Pair(context, certificates.server_context()).handshake()


def test_a_missing_ca_file_is_named(client: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        client.load_verify_locations(tmp_path / "missing.pem")
    with pytest.raises(TypeError):
        client.load_verify_locations()


@pytest.mark.parametrize("in_use", [False, True])
@pytest.mark.parametrize("given", ["cafile", "cadata"])
def test_a_refused_directory_leaves_no_ca_behind(
    client: Any, certificates: Certificates, given: str, in_use: bool
) -> None:
    if in_use:
        client.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname="localhost")
    authority = certificates.ca_file if given == "cafile" else certificates.ca_file.read_text()
    with pytest.raises(tls.SSLError):
        client.load_verify_locations(**{given: authority}, capath="")
    assert client.cert_store_stats() == {"x509": 0, "crl": 0, "x509_ca": 0}


def test_a_missing_certificate_is_named(server: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        server.load_cert_chain(tmp_path / "missing.pem")


def test_a_key_of_another_certificate_is_rejected(server: Any, certificates: Certificates) -> None:
    with pytest.raises(tls.SSLError) as caught:
        server.load_cert_chain(certificates.server.chain, certificates.client.key)
    assert (caught.value.library, caught.value.reason) == ("X509", "KEY_VALUES_MISMATCH")


# --- Properties ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1.5, 771.0, Decimal(2), "2", None], ids=repr)
@pytest.mark.parametrize(
    "name",
    ["options", "verify_mode", "verify_flags", "minimum_version", "maximum_version", "num_tickets", "_host_flags"],
)
def test_a_number_is_an_integer(server: Any, name: str, number: Any) -> None:
    before = getattr(server, name)
    with pytest.raises(TypeError):
        setattr(server, name, number)
    assert getattr(server, name) == before


@pytest.mark.parametrize("protocol", [16.5, 17.0, Decimal(16)], ids=repr)
def test_so_is_a_protocol(protocol: Any) -> None:
    with pytest.raises(TypeError):
        tls.SSLContext(protocol)


@pytest.mark.parametrize("number", [1.5, 2.0, Decimal(1)], ids=repr)
def test_so_are_the_numbers_of_other_calls(certificates: Certificates, number: Any) -> None:
    pair = Pair(certificates.client_context(), certificates.server_context())
    pair.handshake()
    (certificate, *_) = pair.client._sslobj.get_unverified_chain()
    bio = tls.MemoryBIO()
    bio.write(b"data")
    for call in (bio.read, certificate.public_bytes, pair.client.read, tls.RAND_bytes, tls._ASN1Object.fromnid):
        with pytest.raises(TypeError):
            call(number)
    assert bio.read() == b"data"


def test_so_is_a_descriptor(client: Any) -> None:
    class Socket(socket.socket):
        def fileno(self) -> Any:
            return 1.5

    with Socket() as sock, pytest.raises(TypeError):
        client._wrap_socket(sock, False, "localhost")


def test_its_dictionary_is_an_ordinary_one() -> None:
    """It can be assigned, and whoever keeps it keeps what is in it."""

    class Tenant(tls.SSLContext):  # type: ignore[misc]
        pass

    for kind in (tls.SSLContext, Tenant):
        old, new = kind(tls.PROTOCOL_TLS_CLIENT), kind(tls.PROTOCOL_TLS_CLIENT)
        old.tenant = "a"
        kept = vars(old)
        new.__dict__ = dict(kept)
        assert new.tenant == "a"
        del old
        gc.collect()
        assert kept == {"tenant": "a"}
        with pytest.raises(TypeError):
            new.__dict__ = None
        del new.tenant
        assert not hasattr(new, "tenant")


def test_properties_return_members_of_their_enums(client: Any) -> None:
    assert type(client.options) is tls.Options
    assert type(client.verify_flags) is tls.VerifyFlags
    assert type(client.verify_mode) is tls.VerifyMode
    assert type(client.minimum_version) is tls.TLSVersion
    assert type(client.maximum_version) is tls.TLSVersion
    assert client.protocol is tls.PROTOCOL_TLS_CLIENT


def test_options_are_set_and_cleared(client: Any) -> None:
    before = client.options
    client.options |= tls.OP_NO_TICKET | tls.OP_ENABLE_KTLS
    assert client.options == before | tls.OP_NO_TICKET | tls.OP_ENABLE_KTLS
    client.options &= ~(tls.OP_NO_TICKET | tls.OP_ENABLE_KTLS)
    assert client.options == before
    with pytest.raises(TypeError):
        client.options = "none"


def test_versions_are_set(client: Any) -> None:
    client.minimum_version = client.maximum_version = tls.TLSVersion.TLSv1_3
    assert client.minimum_version is client.maximum_version is tls.TLSVersion.TLSv1_3
    client.minimum_version = tls.TLSVersion.MINIMUM_SUPPORTED
    client.maximum_version = tls.TLSVersion.MAXIMUM_SUPPORTED
    assert client.minimum_version is tls.TLSVersion.MINIMUM_SUPPORTED
    assert client.maximum_version is tls.TLSVersion.MAXIMUM_SUPPORTED
    with pytest.raises(ValueError, match="Unsupported TLS/SSL version 0x63"):
        client.minimum_version = 99


@pytest.mark.skipif(tls.OPENSSL_VERSION_INFO >= (4,), reason="OpenSSL 4 has no SSLv3")
def test_allowing_ssl3_clears_its_option(client: Any) -> None:
    assert client.options & tls.OP_NO_SSLv3
    with pytest.warns(DeprecationWarning, match="TLSVersion.SSLv3 is deprecated"):
        client.minimum_version = tls.TLSVersion.SSLv3
    assert not client.options & tls.OP_NO_SSLv3


def test_verify_flags_are_set(client: Any) -> None:
    client.verify_flags |= tls.VERIFY_CRL_CHECK_LEAF
    assert client.verify_flags == tls.VERIFY_X509_TRUSTED_FIRST | tls.VERIFY_CRL_CHECK_LEAF


def test_verify_mode_is_one_of_three(server: Any) -> None:
    for mode in tls.VerifyMode:
        server.verify_mode = mode
        assert server.verify_mode is mode
    with pytest.raises(ValueError, match="invalid value for verify_mode"):
        server.verify_mode = 9


def test_the_common_name_can_be_disabled(client: Any) -> None:
    assert client.hostname_checks_common_name is True
    client.hostname_checks_common_name = False
    assert client.hostname_checks_common_name is False
    client.hostname_checks_common_name = True
    assert client.hostname_checks_common_name is True


@pytest.mark.parametrize("name", ["protocol", "security_level"])
def test_read_only_properties_cannot_be_set(client: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(client, name, 1)


@pytest.mark.parametrize("name", ["options", "verify_mode", "check_hostname", "keylog_filename", "sni_callback"])
def test_nothing_can_be_deleted(client: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        delattr(client, name)


def warnings_of(action: Any) -> list[tuple[type, str, str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [(warning.category, str(warning.message), warning.filename) for warning in caught]


@pytest.mark.parametrize(
    "deprecated",
    [
        lambda module: module.SSLContext(),
        lambda module: module.SSLContext(module.PROTOCOL_TLS),
        lambda module: module.SSLContext(module.PROTOCOL_TLSv1_2),
        lambda module: setattr(module.SSLContext(16), "options", module.OP_NO_TLSv1),
        lambda module: setattr(module.SSLContext(16), "minimum_version", module.TLSVersion.TLSv1),
        lambda module: (
            module.SSLContext(16)
            .wrap_bio(standard.MemoryBIO(), standard.MemoryBIO(), server_hostname="a")
            .selected_npn_protocol()
        ),
    ],
)
def test_deprecated_names_warn_at_the_line_of_their_user(deprecated: Any) -> None:
    expected = warnings_of(lambda: deprecated(standard))
    assert warnings_of(lambda: deprecated(tls)) == expected
    assert all(filename == __file__ for _, _, filename in expected)


def test_an_unknown_protocol_is_rejected() -> None:
    with pytest.raises(ValueError, match="invalid or unsupported protocol version 99"):
        tls.SSLContext(99)


# --- ALPN, ciphers ---------------------------------------------------------------------------------------------------


def test_both_sides_agree_on_a_protocol_in_the_servers_order(certificates: Certificates, version: Any) -> None:
    pair = Pair(
        certificates.client_context(version, alpn=["http/1.1", "h2"]),
        certificates.server_context(version, alpn=["h2", "http/1.1"]),
    )
    pair.handshake()
    assert pair.client.selected_alpn_protocol() == pair.server.selected_alpn_protocol() == "h2"


def test_without_a_common_protocol_there_is_none(certificates: Certificates, version: Any) -> None:
    pair = Pair(certificates.client_context(version, alpn=["a"]), certificates.server_context(version, alpn=["b"]))
    pair.handshake()
    assert pair.client.selected_alpn_protocol() is pair.server.selected_alpn_protocol() is None


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_a_protocol_name_has_1_to_255_bytes(client: Any, name: str) -> None:
    with pytest.raises(tls.SSLError, match="ALPN protocols must be 1 to 255 in length"):
        client.set_alpn_protocols([name])


def test_an_empty_list_of_protocols_is_valid_and_non_ascii_names_are_not(client: Any) -> None:
    client.set_alpn_protocols([])
    with pytest.raises(UnicodeEncodeError):
        client.set_alpn_protocols(["é"])


def test_ciphers_are_chosen_and_listed(client: Any) -> None:
    client.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
    assert "ECDHE-RSA-AES256-GCM-SHA384" in [cipher["name"] for cipher in client.get_ciphers()]
    with pytest.raises(tls.SSLError, match="No cipher can be selected"):
        client.set_ciphers("no such cipher")


# --- Key log ---------------------------------------------------------------------------------------------------------


def test_keys_are_logged_where_the_environment_says(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not sys.flags.ignore_environment
    log = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    assert tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).keylog_filename is None
    assert tls._create_unverified_context().keylog_filename == str(log)
    context = tls.create_default_context(cafile=certificates.ca_file)
    assert context.keylog_filename == str(log)
    Pair(context, certificates.server_context()).handshake()
    assert "CLIENT_TRAFFIC_SECRET_0" in log.read_text()


# --- Callbacks -------------------------------------------------------------------------------------------------------


def test_an_sni_callback_must_be_callable_and_on_a_server(client: Any, server: Any) -> None:
    for setter in (server.set_servername_callback, lambda callback: setattr(server, "sni_callback", callback)):
        with pytest.raises(TypeError, match="not a callable object"):
            setter(3)
    with pytest.raises(ValueError, match="sni_callback cannot be set on TLS_CLIENT context"):
        client.sni_callback = len


def test_the_requested_name_reaches_the_callback(certificates: Certificates, version: Any) -> None:
    client, server = certificates.client_context(version), certificates.server_context(version)
    client.check_hostname = False
    calls = []
    server.sni_callback = lambda *arguments: calls.append(arguments)
    pair = Pair(client, server, server_hostname="bücher.example")
    pair.handshake()
    assert calls == [(pair.server, "xn--bcher-kva.example", server)]


def test_the_older_callback_gets_it_too_and_can_be_removed(certificates: Certificates) -> None:
    server = certificates.server_context()
    names = []
    server.set_servername_callback(lambda connection, name, context: names.append(name))
    Pair(certificates.client_context(), server).handshake()
    assert names == ["localhost"]
    server.set_servername_callback(None)
    assert server.sni_callback is None
    Pair(certificates.client_context(), server).handshake()
    assert names == ["localhost"]


def test_an_sni_callback_switches_the_certificate(certificates: Certificates, version: Any) -> None:
    other = certificates.server_context(version)
    server = certificates.server_context(version, credentials=certificates.elsewhere)

    def switch(connection: Any, name: str, context: Any) -> None:
        assert connection.context is context is server
        connection.context = other

    server.sni_callback = switch
    pair = Pair(certificates.client_context(version), server)
    pair.handshake()
    assert pair.server.context is other


def test_messages_are_reported_with_names(certificates: Certificates, version: Any) -> None:
    client = certificates.client_context(version)
    seen: list[Any] = []

    def watch(connection: Any, *message: Any) -> None:
        seen.append((connection, *message))

    client._msg_callback = watch
    assert client._msg_callback is watch
    pair = Pair(client, certificates.server_context(version))
    pair.handshake()
    connections, directions, _, contents, messages, data = zip(*seen, strict=True)
    assert set(connections) == {pair.client}
    assert set(directions) == {"read", "write"}
    assert tls._TLSContentType.HANDSHAKE in contents
    assert {tls._TLSMessageType.CLIENT_HELLO, tls._TLSMessageType.SERVER_HELLO} <= set(messages)
    assert all(isinstance(octets, bytes) for octets in data)
    client._msg_callback = None
    assert client._msg_callback is None
    with pytest.raises(TypeError, match="3 is not callable"):
        client._msg_callback = 3
