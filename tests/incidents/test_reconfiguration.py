"""Threads: a context may be changed during its handshakes; each sees all of the settings before or after."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.incidents.references import reference
from tests.kit.caches import Cache
from tests.kit.certificates import HOST, Certificates
from tests.kit.changes import EXECUTOR
from tests.kit.pair import Pair
from tests.kit.settings import SETTINGS
from tests.kit.subject import tls
from tests.kit.threads import Task
from wiretight import TrustStore

pytestmark = [reference("python/cpython#134698", "python/cpython#143756"), pytest.mark.timeout(7200)]

THREADS = 3


def changes(server: Any, client: Any, certificates: Any, version: Any, folder: Path) -> dict[str, list[Any]]:
    """By what each of them sets. Every one leaves a context that works with what the others leave."""
    forward, backward = ["h2", "http/1.1"], ["http/1.1", "h2"]
    other = tls.TLSVersion.TLSv1_3 if version == tls.TLSVersion.TLSv1_2 else tls.TLSVersion.TLSv1_2
    older, newer = sorted((version, other))

    def toggled(context: Any, name: str, first: Any, second: Any) -> list[Any]:
        return [lambda: setattr(context, name, first), lambda: setattr(context, name, second)]

    return {
        "load_cert_chain": [
            lambda: server.load_cert_chain(*certificates.server), lambda: client.load_cert_chain(*certificates.client)],
        "add_credential": [lambda: server.add_credential(server.credentials[0])],
        "credentials": [
            lambda: setattr(server, "credentials", server.credentials[:]),
            lambda: setattr(client, "credentials", client.credentials[:])],
        "reload_interval": toggled(server, "reload_interval", 0, None),
        "reload_error_callback": toggled(server, "reload_error_callback", lambda *_: None, None),
        "load_verify_locations": [
            lambda: client.load_verify_locations(certificates.other_ca_file),
            lambda: server.load_verify_locations(certificates.ca_file),
            lambda: client.load_verify_locations(capath=folder)],
        "trust_store": [
            lambda: setattr(client, "trust_store", TrustStore.from_file(certificates.ca_file)),
            lambda: setattr(server, "trust_store", TrustStore.from_file(certificates.ca_file)),
            lambda: client.trust_store.add_certificates(certificates.other_ca_file.read_text())],
        "load_crls": [lambda: server.load_crls(data=certificates.crl().der)],
        "set_default_verify_paths": [client.set_default_verify_paths],
        "load_default_certs": [server.load_default_certs],
        "set_alpn_protocols": [
            lambda: server.set_alpn_protocols(forward), lambda: server.set_alpn_protocols(backward),
            lambda: client.set_alpn_protocols(forward), lambda: client.set_alpn_protocols(backward)],
        "_set_alpn_protocols": [lambda: server._set_alpn_protocols(b"\x02h2\x08http/1.1")],
        "set_ciphers": [
            lambda: server.set_ciphers("ECDHE+AESGCM:PSK"),
            lambda: server.set_ciphers("ECDHE+CHACHA20:ECDHE+AESGCM:PSK"),
            lambda: client.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")],
        "set_ciphersuites": [
            lambda: server.set_ciphersuites("TLS_AES_128_GCM_SHA256"),
            lambda: server.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256")],
        "set_groups": [lambda: server.set_groups("X25519:P-256"), lambda: client.set_groups("P-256:X25519:P-384")],
        "set_ecdh_curve": [lambda: server.set_ecdh_curve("prime256v1")],
        "set_client_sigalgs": [lambda: server.set_client_sigalgs("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256")],
        "set_server_sigalgs": [lambda: client.set_server_sigalgs("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256")],
        "load_dh_params": [lambda: server.load_dh_params(folder / "dh.pem")],
        "sni_callback": toggled(server, "sni_callback", lambda *_: None, None),
        "client_hello_callback": toggled(server, "client_hello_callback", lambda *_: None, None),
        "client_credential_callback": toggled(client, "client_credential_callback", lambda *_: None, None),
        "alpn_callback": toggled(server, "alpn_callback", lambda _, offered: offered[0], None),
        "alpn_required": toggled(server, "alpn_required", True, False),
        "set_ca_names": [
            lambda: server.set_ca_names(TrustStore.from_file(certificates.ca_file)), lambda: server.set_ca_names([])],
        "set_servername_callback": [lambda: server.set_servername_callback(lambda *_: None)],
        "_msg_callback": [
            *toggled(client, "_msg_callback", lambda *_: None, None),
            *toggled(server, "_msg_callback", lambda *_: None, None)],
        "message_callback": [
            *toggled(client, "message_callback", lambda *_: None, None),
            *toggled(server, "message_callback", lambda *_: None, None)],
        "keylog_callback": [
            *toggled(client, "keylog_callback", lambda *_: None, None),
            *toggled(server, "keylog_callback", lambda *_: None, None)],
        "session_store": toggled(client, "session_store", tls.MemorySessionStore(), None),
        "ticket_keys": [
            *toggled(server, "ticket_keys", tls.TicketKeys(), tls.TicketKeys()),
            lambda: setattr(server, "ticket_keys", None)],
        "new_session_callback": toggled(client, "new_session_callback", lambda *_: None, None),
        "keylog_filename": [
            *toggled(client, "keylog_filename", folder / "keys", None),
            *toggled(server, "keylog_filename", folder / "keys", None)],
        "set_psk_client_callback": [
            lambda: client.set_psk_client_callback(lambda hint: (None, b"")),
            lambda: client.set_psk_client_callback(None)],
        "set_psk_server_callback": [
            lambda: server.set_psk_server_callback(lambda identity: b"", "a hint"),
            lambda: server.set_psk_server_callback(lambda identity: b"", "another one that is longer"),
            lambda: server.set_psk_server_callback(None)],
        "verify_mode": toggled(server, "verify_mode", tls.CERT_REQUIRED, tls.CERT_NONE),
        "verify_callback": toggled(client, "verify_callback", lambda *_: None, None),
        "policy_id": toggled(client, "policy_id", b"one", b"another"),
        "verify_flags": toggled(
            client, "verify_flags", tls.VERIFY_X509_TRUSTED_FIRST | tls.VERIFY_X509_PARTIAL_CHAIN,
            tls.VERIFY_X509_TRUSTED_FIRST),
        "hostname_checks_common_name": toggled(client, "hostname_checks_common_name", False, True),
        "_host_flags": toggled(client, "_host_flags", 0x4, 0x10),
        "check_hostname": toggled(client, "check_hostname", False, True),
        "post_handshake_auth": toggled(client, "post_handshake_auth", True, False),
        "options": [
            lambda: setattr(client, "options", client.options ^ tls.OP_NO_TICKET),
            lambda: setattr(server, "options", server.options ^ tls.OP_CIPHER_SERVER_PREFERENCE)],
        "remember_verified_chains": toggled(client, "remember_verified_chains", False, True),
        "read_ahead": toggled(client, "read_ahead", True, False),
        "key_update_after": toggled(client, "key_update_after", 1, None),
        "handshake_callback": toggled(client, "handshake_callback", lambda *_: None, None),
        "handshake_executor": toggled(server, "handshake_executor", EXECUTOR, None),
        "num_tickets": toggled(server, "num_tickets", 0, 4),
        "session_timeout": toggled(server, "session_timeout", 60, 7200),
        "session_id_context": toggled(server, "session_id_context", b"service", None),
        "server_session_cache": toggled(server, "server_session_cache", Cache(), None),
        "minimum_version": toggled(server, "minimum_version", older, version),
        "apply_policy": [
            lambda: server.apply_policy(tls.Policy.named("fast-1")),
            lambda: server.apply_policy(tls.Policy.named("mozilla-intermediate-5.7"))],
        "maximum_version": toggled(server, "maximum_version", newer, version),
    }  # fmt: skip


@pytest.fixture(scope="module")
def dh_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parameters") / "dh.pem"
    generating = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", path]
    subprocess.run(generating, check=True)
    return path


def shaking(client: Any, server: Any) -> None:
    pair = Pair(client, server, server_hostname=HOST)
    pair.handshake()
    agreed = pair.client.selected_alpn_protocol()
    assert agreed in {"h2", "http/1.1"}
    assert agreed == pair.server.selected_alpn_protocol()
    assert pair.client.cipher() == pair.server.cipher()
    assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)
    assert pair.transfer(b"data", pair.client) == b"data"


def while_changing(steps: list[Any], client: Any, server: Any, count: int) -> int:
    """The number of changes during `count` handshakes in each of THREADS threads."""
    done = threading.Event()

    def change() -> int:
        number = 0
        while not done.is_set():
            steps[number % len(steps)]()
            number += 1
        return number

    def shake() -> None:
        for _ in range(count // THREADS):
            shaking(client, server)

    changing = Task(change)
    tasks = [Task(shake) for _ in range(THREADS)]
    try:
        for task in tasks:
            task.result(3600)
    finally:
        done.set()
    return int(changing.result())


@pytest.fixture
def contexts(certificates: Certificates, version: Any) -> tuple[Any, Any]:
    alpn = ["h2", "http/1.1"]
    client = certificates.client_context(version, credentials=certificates.client, alpn=alpn)
    return client, certificates.server_context(version, client_ca=certificates.ca_file, alpn=alpn)


@pytest.mark.parametrize("name", SETTINGS)
def test_handshakes_run_while_a_setting_of_their_contexts_changes(
    certificates: Certificates, version: Any, contexts: Any, tmp_path: Path, dh_file: Path, name: str, rounds: Any
) -> None:
    client, server = contexts
    (tmp_path / "dh.pem").write_bytes(dh_file.read_bytes())
    steps = changes(server, client, certificates, version, tmp_path)[name]
    assert while_changing(steps, client, server, rounds(30, 10_000)) > 0


def test_handshakes_run_while_all_settings_of_their_contexts_change(
    certificates: Certificates, version: Any, contexts: Any, tmp_path: Path, dh_file: Path, rounds: Any
) -> None:
    client, server = contexts
    (tmp_path / "dh.pem").write_bytes(dh_file.read_bytes())
    steps = [step for several in changes(server, client, certificates, version, tmp_path).values() for step in several]
    steps += [client.get_ca_certs, client.cert_store_stats, server.session_stats, server.get_ciphers]
    assert while_changing(steps, client, server, rounds(300, 20_000)) > 50


@reference("python/cpython#134698")
def test_no_change_is_lost_if_several_threads_change_a_context(certificates: Certificates, rounds: Any) -> None:
    def change(context: Any) -> None:
        flags = context.verify_flags
        tasks = [
            Task(context.load_verify_locations, certificates.ca_file),
            Task(context.load_verify_locations, certificates.other_ca_file),
            Task(context.set_alpn_protocols, ["h2"]),
            Task(setattr, context, "num_tickets", 5),
            Task(setattr, context, "verify_flags", flags | tls.VERIFY_X509_STRICT),
            Task(context.wrap_bio, tls.MemoryBIO(), tls.MemoryBIO(), server_side=True),
        ]
        for task in tasks:
            task.result()
        assert context.cert_store_stats()["x509"] == 2
        assert context.num_tickets == 5
        assert context.verify_flags == flags | tls.VERIFY_X509_STRICT
        pair = Pair(certificates.client_context(alpn=["h2"]), context)
        pair.handshake()
        assert pair.client.selected_alpn_protocol() == "h2"

    for _ in range(rounds(20, 1000)):
        change(certificates.server_context())


@pytest.fixture(scope="module")
def many_authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authorities") / "many.pem"
    for _ in range(300):
        trustme.CA().cert_pem.write_to_path(path, append=True)
    return path


@reference("python/cpython#134698")
def test_no_thread_finds_half_of_what_another_one_loads(certificates, many_authorities, rounds):
    def look(context: Any, done: threading.Event) -> set[int]:
        found = {context.cert_store_stats()["x509"]}
        while not done.is_set():
            found.add(context.cert_store_stats()["x509"])
        return found

    for _ in range(rounds(20, 1000)):
        context, done = certificates.client_context(), threading.Event()
        looking = Task(look, context, done)
        try:
            context.load_verify_locations(many_authorities)
        finally:
            done.set()
        assert looking.result() <= {1, 301}


def test_a_connection_keeps_the_certificate_and_trust_from_its_creation(certificates, version, rounds):
    for _ in range(rounds(50, 1000)):
        client = certificates.client_context(version)
        server = certificates.server_context(version)
        pair = Pair(client, server)
        server.load_cert_chain(*certificates.elsewhere)
        server.set_ciphers("ECDHE+CHACHA20")
        server.verify_mode = 2
        pair.handshake()
        assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)
