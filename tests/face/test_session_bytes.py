"""A session as bytes: resumed by another context, and by another process, that verifies the same."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.certificates import ELSEWHERE, HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.servers import Server
from tests.kit.subject import tls
from wiretight._core.x509 import distrusted

HEAD = 37  # a format, the digest of the terms, the length of the name


def session_of(client_context: Any, server_context: Any, **options: Any) -> Any:
    pair = Pair(client_context, server_context, **options)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    return pair.client.session


def resumes(client_context: Any, server_context: Any, session: Any) -> bool:
    pair = Pair(client_context, server_context, session=session)
    pair.handshake()
    assert pair.client.session_reused is pair.server.session_reused
    return pair.client.session_reused  # type: ignore[no-any-return]


@pytest.fixture
def data(client_context: Any, server_context: Any) -> bytes:
    return session_of(client_context, server_context).to_bytes()  # type: ignore[no-any-return]


def test_a_context_that_verifies_the_same_resumes_it(
    data: bytes, certificates: Certificates, version: Any, server_context: Any
) -> None:
    context = certificates.client_context(version)
    session = context.load_session(memoryview(bytearray(data)))
    assert isinstance(session, tls.SSLSession)
    assert resumes(context, server_context, session)


def test_it_is_what_it_was(client_context: Any, server_context: Any) -> None:
    session = session_of(client_context, server_context)
    loaded = client_context.load_session(session.to_bytes())
    assert loaded == session
    for name in ("id", "time", "timeout", "ticket_lifetime_hint", "has_ticket", "expires", "is_single_use"):
        assert getattr(loaded, name) == getattr(session, name)
    assert loaded.max_early_data == session.max_early_data == 0
    assert loaded.to_bytes() == session.to_bytes()


def test_a_store_may_keep_bytes(client_context: Any, server_context: Any) -> None:
    class Disk:
        def __init__(self) -> None:
            self.files: dict[str, list[bytes]] = {}

        def put(self, key: str, session: Any) -> None:
            self.files.setdefault(key, []).append(session.to_bytes())

        def take(self, key: str) -> Any:
            held = self.files.get(key)
            return client_context.load_session(held.pop()) if held else None

    client_context.session_store = Disk()
    for expected in (False, True, True):
        pair = Pair(client_context, server_context)
        pair.handshake()
        pair.transfer(b"data", pair.server)
        assert pair.client.session_reused is expected


RESUMED_IN_ANOTHER_PROCESS = """
import socket, sys, wiretight

ca_file, port, minimum = sys.argv[1:]
context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(ca_file)
context.minimum_version = context.maximum_version = int(minimum)
session = context.load_session(sys.stdin.buffer.read())
plain = socket.create_connection(("127.0.0.1", int(port)))
with context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
    tls.sendall(b"data")
    assert tls.recv(4) == b"data"
    print(tls.session_reused)
    tls.unwrap()
"""


def test_another_process_resumes_it(
    certificates: Certificates, version: Any, client_context: Any, server_context: Any
) -> None:
    session = session_of(client_context, server_context)
    with Server(server_context) as server:
        command = [sys.executable, "-c", RESUMED_IN_ANOTHER_PROCESS, str(certificates.ca_file), str(server.port)]
        child = subprocess.run([*command, str(int(version))], input=session.to_bytes(), capture_output=True, check=True)
    assert child.stdout.strip() == b"True"


def test_its_terms_are_the_same_on_a_machine_of_another_byte_order(
    certificates: Certificates, version: Any, server_context: Any
) -> None:
    """Else no machine would resume what it got from such a one: each number has its lowest byte first."""
    context = certificates.client_context(version)
    context.check_hostname = False
    context.verify_mode = tls.CERT_NONE
    data = session_of(context, server_context).to_bytes()
    name = HOST.encode()
    ciphers = [cipher["id"] for cipher in context.get_ciphers()]
    settings = [3, False, tls.CERT_NONE, context.verify_flags, context._host_flags, False, context.security_level]
    parts = [len(name) + 1, 0, 0, 0, 0, 1, 0, 0, 0]  # lengths, and one more; 0: there is none. The policy is empty
    terms = struct.pack(f"<{17 + len(ciphers)}Q", *settings, len(ciphers), *parts, *ciphers) + name
    trust = context.trust_store.fingerprint + bytes.fromhex("".join(distrusted.KEYS))
    text = b"%d:%b0:%b" % (len(terms), terms, trust)
    assert data[len(b"WTS?") : HEAD - 1] == hashlib.sha256(text).digest()


# --- What is refused -------------------------------------------------------------------------------------------------
def no_name_check(it: Any, _: Certificates) -> None:
    it.check_hostname = False


def another_ca(it: Any, files: Certificates) -> None:
    it.load_verify_locations(files.other_ca_file)


def own_certificate(it: Any, files: Certificates) -> None:
    it.load_cert_chain(*files.client)


def a_callback(it: Any, _: Certificates) -> None:
    it.verify_callback = lambda *_: None


@pytest.mark.parametrize("change", [no_name_check, another_ca, own_certificate, a_callback])
def test_other_terms_are_refused(
    data: bytes, certificates: Certificates, version: Any, change: Callable[..., None]
) -> None:
    context = certificates.client_context(version)
    change(context, certificates)
    with pytest.raises(ValueError, match="the session to localhost was made on other terms"):
        context.load_session(data)


def test_it_is_not_offered_to_another_name(data: bytes, client_context: Any, certificates: Certificates) -> None:
    server_context = certificates.server_context(credentials=certificates.elsewhere)
    pair = Pair(client_context, server_context, server_hostname=ELSEWHERE, session=client_context.load_session(data))
    pair.handshake()
    assert not pair.client.session_reused


def test_nor_if_its_name_is_another_one_now(data: bytes, client_context: Any) -> None:
    renamed = data.replace(HOST.encode(), ELSEWHERE[: len(HOST)].encode(), 1)
    with pytest.raises(ValueError, match="other terms"):
        client_context.load_session(renamed)


def test_nor_after_a_change_of_what_it_was_verified_by(
    data: bytes, client_context: Any, server_context: Any, certificates: Certificates
) -> None:
    session = client_context.load_session(data)
    client_context.load_verify_locations(certificates.other_ca_file)
    assert not resumes(client_context, server_context, session)


def test_what_is_no_session_is_refused(data: bytes, client_context: Any) -> None:
    broken = [data[:length] for length in range(0, len(data), 7)]
    broken += [b"WTS\x01" + data[4:], data + b"\0", b"\x30" * 100, bytes(2**20), data[: HEAD + 9] + data[HEAD + 10 :]]
    for each in broken:
        with pytest.raises(ValueError, match="data is no session: pass what"):
            client_context.load_session(each)
    assert client_context.load_session(data)


@pytest.mark.parametrize("wrong", ["session", None, 7, [b"session"]])
def test_another_type_is_refused(client_context: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match="bytes-like object"):
        client_context.load_session(wrong)


def test_terms_are_compared_before_openssl_parses_anything(data: bytes, client_context: Any) -> None:
    client_context.check_hostname = False
    with pytest.raises(ValueError, match="other terms"):
        client_context.load_session(data[: HEAD + len(HOST)] + bytes(100))


def test_a_server_has_no_session_to_pass_on(client_context: Any, server_context: Any) -> None:
    pair = Pair(client_context, server_context)
    pair.handshake()
    with pytest.raises(ValueError, match="session of a client"):
        pair.server.session.to_bytes()


def test_one_without_a_ticket_yet_cannot_be_passed_on(certificates: Certificates) -> None:
    version = tls.TLSVersion.TLSv1_3
    pair = Pair(certificates.client_context(version), certificates.server_context(version))
    pair.handshake()
    with pytest.raises(ValueError, match="no ticket yet"):
        pair.client.session.to_bytes()
