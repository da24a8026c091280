"""Threads: a context may be changed while handshakes run on it; each sees what was there before or after, whole."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.incidents.references import reference
from tests.kit.certificates import HOST
from tests.kit.pair import Pair
from tests.kit.threads import Task

pytestmark = [reference("python/cpython#134698", "python/cpython#143756"), pytest.mark.timeout(7200)]

THREADS = 3


def changes(server: Any, client: Any, certificates: Any) -> list[Any]:
    """Every one leaves a context that works with what the others leave."""
    forward, backward = ["h2", "http/1.1"], ["http/1.1", "h2"]
    return [
        lambda: server.load_cert_chain(*certificates.server),
        lambda: client.load_cert_chain(*certificates.client),
        lambda: client.load_verify_locations(certificates.other_ca_file),
        lambda: server.load_verify_locations(certificates.ca_file),
        lambda: server.set_alpn_protocols(forward),
        lambda: server.set_alpn_protocols(backward),
        lambda: client.set_alpn_protocols(forward),
        lambda: client.set_alpn_protocols(backward),
        lambda: server.set_ciphers("ECDHE+AESGCM"),
        lambda: server.set_ciphers("ECDHE+CHACHA20:ECDHE+AESGCM"),
        lambda: client.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20"),
        lambda: setattr(server, "sni_callback", lambda *_: None),
        lambda: setattr(server, "sni_callback", None),
        lambda: setattr(client, "_msg_callback", lambda *_: None),
        lambda: setattr(client, "_msg_callback", None),
        lambda: setattr(server, "verify_mode", 2),
        lambda: setattr(server, "verify_mode", 0),
        lambda: setattr(client, "options", client.options ^ 0x4000),  # OP_NO_TICKET
        lambda: server.set_ecdh_curve("prime256v1"),
        client.get_ca_certs, client.cert_store_stats, server.session_stats, server.get_ciphers,
    ]  # fmt: skip


def test_handshakes_run_while_their_contexts_change(certificates, version, rounds):
    client = certificates.client_context(version, credentials=certificates.client, alpn=["h2", "http/1.1"])
    server = certificates.server_context(version, client_ca=certificates.ca_file, alpn=["h2", "http/1.1"])
    count = rounds(600, 20_000)
    done = threading.Event()

    def change() -> int:
        steps, number = changes(server, client, certificates), 0
        while not done.is_set():
            steps[number % len(steps)]()
            number += 1
        return number

    def shake() -> None:
        for number in range(count // THREADS):
            pair = Pair(client, server, server_hostname=HOST)
            pair.handshake()
            agreed = pair.client.selected_alpn_protocol()
            assert agreed in {"h2", "http/1.1"}
            assert agreed == pair.server.selected_alpn_protocol()
            assert pair.client.cipher() == pair.server.cipher()
            assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)
            assert pair.transfer(b"%d" % number, pair.client) == b"%d" % number

    changing = Task(change)
    shaking = [Task(shake) for _ in range(THREADS)]
    try:
        for task in shaking:
            task.result(3600)
    finally:
        done.set()
    assert changing.result() > 100


def test_a_connection_keeps_the_certificate_and_the_trust_it_was_made_with(certificates, version, rounds):
    for _ in range(rounds(50, 1000)):
        client = certificates.client_context(version)
        server = certificates.server_context(version)
        pair = Pair(client, server)
        server.load_cert_chain(*certificates.elsewhere)
        server.set_ciphers("ECDHE+CHACHA20")
        server.verify_mode = 2
        pair.handshake()
        assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)
