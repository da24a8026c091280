"""The settings of a context: what all of them have in common."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import HOST, Certificates
from tests.kit.changes import EXECUTOR
from tests.kit.pair import Pair
from tests.kit.subject import tls

# How each is seen in a context that has it, or in its connections, and that it is not there without.


def agreed(client: Any, server: Any) -> Pair:
    pair = Pair(client, server, server_hostname=HOST)
    pair.handshake()
    return pair


def message_is_shown(context: Any) -> bool:
    return context._msg_callback is len


CHANGES: dict[str, tuple[Callable[[Any, Certificates], Any], Callable[[Any], Any]]] = {
    "options": (lambda it, _: setattr(it, "options", it.options ^ tls.OP_NO_TICKET), lambda it: it.options),
    "minimum_version": (
        lambda it, _: setattr(it, "minimum_version", tls.TLSVersion.TLSv1_3), lambda it: it.minimum_version),
    "maximum_version": (
        lambda it, _: setattr(it, "maximum_version", tls.TLSVersion.TLSv1_2), lambda it: it.maximum_version),
    "verify_mode": (lambda it, _: setattr(it, "verify_mode", tls.CERT_OPTIONAL), lambda it: it.verify_mode),
    "verify_flags": (
        lambda it, _: setattr(it, "verify_flags", tls.VERIFY_X509_STRICT), lambda it: it.verify_flags),
    "hostname_checks_common_name": (
        lambda it, _: setattr(it, "hostname_checks_common_name", False), lambda it: it.hostname_checks_common_name),
    "_host_flags": (lambda it, _: setattr(it, "_host_flags", 0x10), lambda it: it._host_flags),
    "check_hostname": (lambda it, _: setattr(it, "check_hostname", True), lambda it: it.check_hostname),
    "post_handshake_auth": (
        lambda it, _: setattr(it, "post_handshake_auth", True), lambda it: it.post_handshake_auth),
    "num_tickets": (lambda it, _: setattr(it, "num_tickets", 7), lambda it: it.num_tickets),
    "set_ciphers": (
        lambda it, _: it.set_ciphers("ECDHE+CHACHA20:@SECLEVEL=0"), lambda it: (it.get_ciphers(), it.security_level)),
    "set_ciphersuites": (
        lambda it, _: it.set_ciphersuites("TLS_AES_128_GCM_SHA256"), lambda it: it.get_ciphers()),
    "load_verify_locations": (
        lambda it, files: it.load_verify_locations(files.ca_file), lambda it: it.get_ca_certs()),
    "sni_callback": (lambda it, _: setattr(it, "sni_callback", len), lambda it: it.sni_callback),
    "policy_id": (lambda it, _: setattr(it, "policy_id", b"id"), lambda it: it.policy_id),
    "remember_verified_chains": (
        lambda it, _: setattr(it, "remember_verified_chains", False), lambda it: it.remember_verified_chains),
    "read_ahead": (lambda it, _: setattr(it, "read_ahead", True), lambda it: it.read_ahead),
    "key_update_after": (lambda it, _: setattr(it, "key_update_after", 1000), lambda it: it.key_update_after),
    "handshake_callback": (lambda it, _: setattr(it, "handshake_callback", len), lambda it: it.handshake_callback),
    "handshake_executor": (lambda it, _: setattr(it, "handshake_executor", EXECUTOR), lambda it: it.handshake_executor),
    "_msg_callback": (lambda it, _: setattr(it, "_msg_callback", len), lambda it: it._msg_callback),
    "keylog_callback": (lambda it, _: setattr(it, "keylog_callback", len), lambda it: it.keylog_callback),
    "keylog_filename": (
        lambda it, files: setattr(it, "keylog_filename", files.folder / "keys"), lambda it: it.keylog_filename),
}  # fmt: skip


@pytest.fixture(params=[False, True], ids=["new", "in-use"])
def context(request: pytest.FixtureRequest) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    if request.param:
        context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_side=True)
    return context


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_survives_changes_of_the_others(certificates: Certificates, context: Any, name: str) -> None:
    change, look = CHANGES[name]
    before = look(context)
    change(context, certificates)
    after = look(context)
    assert after != before
    related = {"hostname_checks_common_name", "_host_flags", "set_ciphers", "set_ciphersuites", "check_hostname"}
    related |= {"verify_mode"} if name == "check_hostname" else set()
    for other, (change_other, _) in CHANGES.items():
        if other != name and not (name in related and other in related):
            change_other(context, certificates)
            assert look(context) == after, other


def test_settings_changed_after_the_first_use_of_a_context_apply(
    certificates: Certificates, version: Any, tmp_path: Path
) -> None:
    """As of one that was set up before, setting by setting."""
    shown: list[Any] = []
    client = certificates.client_context(version, ca_file=certificates.other_ca_file)
    server = certificates.server_context(credentials=certificates.elsewhere)
    for context, side in ((client, False), (server, True)):
        context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), side, None if side else HOST)
    client.load_verify_locations(certificates.ca_file)
    client.load_cert_chain(*certificates.client)
    client.set_alpn_protocols(["h2"])
    server.load_cert_chain(*certificates.server)
    server.load_verify_locations(certificates.ca_file)
    server.verify_mode = tls.CERT_REQUIRED
    server.set_alpn_protocols(["h2", "http/1.1"])
    server.set_groups("secp384r1:prime256v1")
    server.set_ciphers("ECDHE+CHACHA20")
    server.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256")
    server.set_server_sigalgs("ecdsa_secp256r1_sha256")
    server.minimum_version = server.maximum_version = version
    server.keylog_filename = tmp_path / "keys"
    server.sni_callback = lambda side, name, context: shown.append(name)
    server._msg_callback = lambda *message: shown.append(message[1])
    pair = agreed(client, server)
    assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)
    assert pair.server.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)
    assert pair.server.selected_alpn_protocol() == "h2"
    assert pair.client.group() == "secp384r1"
    assert "CHACHA20" in pair.client.cipher()[0]
    assert pair.client.version() == f"TLSv1.{version - 0x301}"
    assert HOST in shown
    assert "read" in shown
    assert (tmp_path / "keys").stat().st_size > 100


def test_a_connection_keeps_the_settings_from_its_creation(
    certificates: Certificates, version: Any, tmp_path: Path
) -> None:
    """Callbacks too."""
    shown: list[Any] = []
    client, server = certificates.client_context(version, alpn=["h2"]), certificates.server_context(alpn=["h2"])
    server.sni_callback = lambda side, name, context: shown.append(name)
    pair = Pair(client, server)
    server.minimum_version = server.maximum_version = (
        tls.TLSVersion.TLSv1_3 if version == tls.TLSVersion.TLSv1_2 else tls.TLSVersion.TLSv1_2
    )
    server.load_cert_chain(*certificates.elsewhere)
    server.verify_mode = tls.CERT_REQUIRED
    server.set_alpn_protocols(["other"])
    server.set_groups("secp521r1")
    server.set_ciphers("ECDHE+CHACHA20")
    server.keylog_filename = tmp_path / "keys"
    server._msg_callback = lambda *message: shown.append(message)
    server.sni_callback = lambda side, name, context: 40
    client.load_verify_locations(certificates.other_ca_file)
    client.verify_flags |= tls.VERIFY_CRL_CHECK_CHAIN
    pair.handshake()
    assert pair.client.selected_alpn_protocol() == "h2"
    assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)
    assert pair.client.group() != "secp521r1"
    assert shown == [HOST]


def test_a_replaced_setting_is_freed(certificates: Certificates, version: Any) -> None:
    """In a context that has been used, too."""

    class Callback:
        def __call__(self, *_: Any) -> None:
            pass

    server = certificates.server_context(version)
    callbacks = [Callback() for _ in range(3)]
    dead = [weakref.ref(callback) for callback in callbacks]
    server.sni_callback, server._msg_callback, server.keylog_callback = callbacks
    agreed(certificates.client_context(version), server)
    server.sni_callback = server._msg_callback = server.keylog_callback = None
    callbacks.clear()
    gc.collect()
    assert [reference() for reference in dead] == [None, None, None]


# --- The security level -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weak(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for an RSA key of 1,024 bits, with its key behind it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, 1024)
    ours = x509.load_pem_x509_certificate(certificates.server.chain.read_bytes())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, ours.not_valid_before_utc, ours.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("weak") / "weak.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.mark.parametrize("later", [None, "ECDHE+AESGCM"], ids=["", "then-ciphers-without-a-level"])
def test_a_lowered_security_level_accepts_a_weak_certificate(
    certificates: Certificates, version: Any, context: Any, weak: Path, later: str | None
) -> None:
    context.set_ciphers("ECDHE:@SECLEVEL=2")
    with pytest.raises(tls.SSLError, match="EE_KEY_TOO_SMALL"):
        context.load_cert_chain(weak)
    context.set_ciphers("ECDHE:@SECLEVEL=0")
    if later is not None:
        context.set_ciphers(later)
    assert context.security_level == 0
    context.load_cert_chain(weak)
    client = certificates.client_context(version, ca_file=weak)
    client.set_ciphers("ECDHE:@SECLEVEL=0")
    assert agreed_without_name(client, context).client.getpeercert(True)


def agreed_without_name(client: Any, server: Any) -> Pair:
    client.check_hostname = False
    return agreed(client, server)


def test_a_raised_security_level_rejects_a_weak_certificate(context: Any, weak: Path) -> None:
    context.set_ciphers("ECDHE:@SECLEVEL=0")
    context.set_ciphers("ECDHE:@SECLEVEL=2")
    assert context.security_level == 2
    with pytest.raises(tls.SSLError, match="EE_KEY_TOO_SMALL"):
        context.load_cert_chain(weak)


def test_a_weak_certificate_is_reported_before_its_missing_key(context: Any, weak: Path, tmp_path: Path) -> None:
    """The same reason as in `ssl`."""
    context.set_ciphers("ECDHE:@SECLEVEL=2")
    without_key = tmp_path / "certificate.pem"
    without_key.write_bytes(weak.read_bytes().partition(b"-----BEGIN PRIVATE")[0])
    for files in ((without_key,), (without_key, without_key), (weak,)):
        with pytest.raises(tls.SSLError) as caught:
            context.load_cert_chain(*files)
        assert (caught.value.library, caught.value.reason) == ("SSL", "EE_KEY_TOO_SMALL")
