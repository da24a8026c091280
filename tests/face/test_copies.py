"""copy(): a context with everything that another one has, setting by setting, and a life of its own."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.kit.certificates import HOST, Certificates
from tests.kit.changes import CHANGES, POLICIES, exchanging_policies, new_context, try_every_change, use
from tests.kit.pair import Pair
from tests.kit.settings import SETTINGS
from tests.kit.subject import tls
from wiretight._core.context.lifecycle import settings_by_name

WAYS: dict[str, Callable[[Any], Any]] = {
    "copy()": lambda context: context.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
}


@pytest.fixture(params=WAYS)
def copied(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return WAYS[request.param]


# --- Setting by setting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_copy_has_every_setting(certificates: Certificates, copied: Any, name: str, in_use: bool) -> None:
    context = new_context(name)
    if in_use:
        use(context)
    CHANGES[name](context, certificates)
    other = copied(context)
    assert other is not context
    assert type(other) is type(context)
    assert other.protocol == context.protocol
    assert settings_by_name(other) == settings_by_name(context)
    assert other.get_ciphers() == context.get_ciphers()
    use(other)
    assert settings_by_name(other) == settings_by_name(context)


@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_change_of_one_is_none_of_the_other(certificates: Certificates, copied: Any, name: str, in_use: bool) -> None:
    context = new_context(name)
    other = copied(context)
    if in_use:
        use(context)
        use(other)
    for changed, left in ((context, other), (other, context)):
        before = settings_by_name(changed), settings_by_name(left)
        CHANGES[name](changed, certificates)
        assert settings_by_name(changed) != before[0]
        assert settings_by_name(left) == before[1]


def test_a_copy_with_all_settings_changed_again_leaves_the_original(certificates: Certificates, copied: Any) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    before = settings_by_name(context)
    other = copied(context)
    try_every_change(other, certificates)
    assert settings_by_name(context) == before
    again = copied(other)
    assert settings_by_name(again) == settings_by_name(other)


# --- As connections see it --------------------------------------------------------------------------------------------


def agreed(client: Any, server: Any, **options: Any) -> Pair:
    pair = Pair(client, server, server_hostname=HOST, **options)
    pair.handshake()
    return pair


def test_connections_of_copies_are_those_of_the_originals(
    certificates: Certificates, version: Any, tmp_path: Path, copied: Any
) -> None:
    shown: list[Any] = []
    client = certificates.client_context(version, credentials=certificates.client, alpn=["h2"])
    server = certificates.server_context(version, client_ca=certificates.ca_file, alpn=["h2", "http/1.1"])
    server.set_groups("secp384r1:prime256v1")
    server.set_ciphers("ECDHE+CHACHA20")
    server.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256")
    server.set_server_sigalgs("ecdsa_secp256r1_sha256")
    server.keylog_filename = tmp_path / "keys"
    server.sni_callback = lambda side, name, context: shown.append((name, context))
    server._msg_callback = lambda *message: shown.append(message[1])
    client, server = copied(client), copied(server)
    gc.collect()  # the originals are gone
    pair = agreed(client, server)
    assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)
    assert pair.server.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)
    assert pair.server.selected_alpn_protocol() == "h2"
    assert pair.client.group() == "secp384r1"
    assert "CHACHA20" in pair.client.cipher()[0]
    assert pair.client.version() == f"TLSv1.{version - 0x301}"
    assert (HOST, server) in shown
    assert "read" in shown
    assert (tmp_path / "keys").stat().st_size > 100


def test_a_copy_verifies_no_less(certificates: Certificates, version: Any, copied: Any) -> None:
    client = copied(certificates.client_context(version))
    with pytest.raises(tls.SSLCertVerificationError, match="Hostname mismatch"):
        agreed(client, certificates.server_context(version, credentials=certificates.elsewhere))
    with pytest.raises(tls.SSLCertVerificationError, match="unable to get local issuer"):
        agreed(client, certificates.server_context(version, credentials=certificates.server_of_other_ca))


def test_a_copy_needs_no_file(certificates: Certificates, version: Any, copied: Any, tmp_path: Path) -> None:
    """Nothing is read again: certificates, keys and trust are shared."""
    paths = [tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem"]
    for path, source in zip(paths, (certificates.ca_file, *certificates.server), strict=True):
        path.write_bytes(source.read_bytes())
    client = certificates.client_context(version, ca_file=paths[0])
    server = certificates.server_context(version)
    server.load_cert_chain(*paths[1:])
    for path in paths:
        path.unlink()
    agreed(copied(client), copied(server))


def test_copies_can_be_chosen_by_sni_callback(certificates: Certificates, version: Any, copied: Any) -> None:
    listening = certificates.server_context(version, credentials=certificates.elsewhere)
    chosen = copied(certificates.server_context(version))
    listening.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    assert agreed(certificates.client_context(version), copied(listening)).server.context is chosen


def resumes(client: Any, server: Any, session: Any) -> bool:
    pair = agreed(client, server, session=session)
    return bool(pair.client.session_reused)


def session_of(client: Any, server: Any) -> Any:
    pair = agreed(client, server)
    pair.transfer(b"data", pair.server)  # the tickets of TLS 1.3 come before it
    return pair.client.session


def test_a_copy_shares_no_sessions(certificates: Certificates, version: Any, copied: Any) -> None:
    """Neither ticket keys nor a cache: a context with another life may soon trust others."""
    client, server = certificates.client_context(version), certificates.server_context(version)
    session = session_of(client, server)
    assert resumes(client, server, session)
    assert not resumes(client, copied(server), session)
    with pytest.raises(ValueError, match="different SSLContext"):
        resumes(copied(client), server, session)


# --- Subclasses, attributes, classes ----------------------------------------------------------------------------------


class OfAProgram(tls.SSLContext):
    __slots__ = ("_empty", "slot")
    assigned: ClassVar[list[str]] = []

    def __init__(self, protocol: Any, *, tags: list[str]) -> None:
        self.tags = tags
        self.slot = ["in", "a", "slot"]
        self.itself = self

    def __setattr__(self, name: str, value: object) -> None:
        self.assigned.append(name)
        super().__setattr__(name, value)


def test_attributes_come_along_and_a_subclass_is_not_initialized_again() -> None:
    context = OfAProgram(tls.PROTOCOL_TLS_CLIENT, tags=["a"])
    context.handshake_timeout = 2.0
    context.sslsocket_class = type("Socket", (tls.SSLSocket,), {})
    assigned = list(context.assigned)
    assert context.copy().assigned == assigned, "what a program does when an attribute is set, it has done"
    for copied in (context.copy(), copy.copy(context)):
        assert type(copied) is OfAProgram
        assert copied.tags is context.tags
        assert copied.slot is context.slot
        assert copied.itself is context
        assert copied.handshake_timeout == 2.0
        assert copied.sslsocket_class is context.sslsocket_class
        copied.handshake_timeout = copied.tags = None
        assert (context.handshake_timeout, context.tags) == (2.0, ["a"])
    deep = copy.deepcopy(context)
    assert deep.tags == ["a"]
    assert deep.tags is not context.tags
    assert deep.slot == context.slot
    assert deep.slot is not context.slot
    assert deep.itself is deep
    assert deep.sslsocket_class is context.sslsocket_class


def test_a_context_inside_a_structure_is_copied_once() -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    first, second = copy.deepcopy([context, {"context": context}])
    assert first is second["context"] is not context


@pytest.mark.parametrize("protocol", [tls.PROTOCOL_TLS, tls.PROTOCOL_TLSv1_2])
def test_a_copy_warns_of_nothing_again(protocol: Any, copied: Any) -> None:
    with pytest.warns(DeprecationWarning, match="is deprecated|are deprecated"):
        context = tls.SSLContext(protocol)
    assert copied(context).protocol == protocol


def test_a_copy_is_not_frozen(copied: Any) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER).freeze()
    other = copied(context)
    assert not other.frozen
    other.num_tickets = 1
    assert context.num_tickets != 1


def test_statistics_begin_anew(certificates: Certificates, version: Any, copied: Any) -> None:
    client, server = certificates.client_context(version), certificates.server_context(version)
    agreed(client, server)
    assert copied(server).session_stats()["accept"] == 0


def test_copies_are_whole_while_another_thread_changes_the_original(certificates: Certificates) -> None:
    """Both limits are set by one call, so no copy may have one of each."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    known = []
    for name in POLICIES:
        context.apply_policy(tls.Policy.named(name))
        known.append(settings_by_name(context))
    with exchanging_policies(context):
        copies = [settings_by_name(context.copy()) for _ in range(200)]
    names = ("minimum_version", "options", "groups", "ciphersuites")
    allowed = [tuple(each[name] for name in names) for each in known]
    assert {tuple(each[name] for name in names) for each in copies} <= set(allowed)
