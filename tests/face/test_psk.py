"""Pre-shared keys: TLS without certificates."""

from __future__ import annotations

import ssl as standard
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.kit.pair import Pair
from tests.kit.subject import tls

KEY = b"0123456789abcdef"
MODULES = [tls, standard] if hasattr(standard.SSLContext, "set_psk_client_callback") else [tls]


class Keys:
    """Callbacks for both sides that return the same key, and record their arguments."""

    def __init__(self) -> None:
        self.hints: list[str | None] = []
        self.identities: list[str | None] = []

    def client(self, hint: str | None) -> tuple[str | None, bytes]:
        self.hints.append(hint)
        return "me", KEY

    def server(self, identity: str | None) -> bytes:
        self.identities.append(identity)
        return KEY


@pytest.fixture
def keys() -> Keys:
    return Keys()


def contexts(version: Any, module: ModuleType = tls) -> tuple[Any, Any]:
    client = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = module.CERT_NONE
    server = module.SSLContext(module.PROTOCOL_TLS_SERVER)
    for context in (client, server):
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("PSK")
    return client, server


def shaken(
    version: Any,
    client_callback: Callable[..., Any],
    server_callback: Callable[..., Any],
    hint: str | None = None,
    module: ModuleType = tls,
) -> Pair:
    client, server = contexts(version, module)
    client.set_psk_client_callback(client_callback)
    server.set_psk_server_callback(server_callback, hint)
    pair = Pair(client, server, server_hostname=None)
    pair.handshake()
    return pair


def refused(version: Any, client_callback: Callable[..., Any], server_callback: Callable[..., Any]) -> Exception:
    with pytest.raises(tls.SSLError) as caught:
        shaken(version, client_callback, server_callback)
    return caught.value


def test_features_are_reported() -> None:
    assert tls.HAS_PSK is True
    assert tls.HAS_PSK_TLS13 is True


def test_both_sides_know_the_key(version: Any, keys: Keys) -> None:
    pair = shaken(version, keys.client, keys.server)
    assert keys.identities == ["me"]
    assert pair.transfer(b"data", pair.client) == pair.transfer(b"data", pair.server) == b"data"
    assert pair.client.getpeercert() is pair.server.getpeercert() is None


@pytest.mark.skipif(len(MODULES) == 1, reason="the standard library has pre-shared keys from 3.13 on")
@pytest.mark.parametrize("ours", ["client", "server"])
def test_the_standard_library_agrees(version: Any, keys: Keys, ours: str) -> None:
    mine, others = contexts(version), contexts(version, standard)
    client, server = (mine[0], others[1]) if ours == "client" else (others[0], mine[1])
    client.set_psk_client_callback(keys.client)
    server.set_psk_server_callback(keys.server)
    pair = Pair(client, server, server_hostname=None)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"


def test_the_hint_reaches_a_client_of_tls_1_2(version: Any, keys: Keys) -> None:
    shaken(version, keys.client, keys.server, "hé")
    assert keys.hints == ["hé" if version == tls.TLSVersion.TLSv1_2 else None]


def test_a_client_of_tls_1_2_may_have_no_identity(keys: Keys) -> None:
    shaken(tls.TLSVersion.TLSv1_2, lambda hint: (None, KEY), keys.server)
    assert keys.identities == [None]


@pytest.mark.parametrize("identity", ["é", b"me", "i" * 128])
def test_an_identity_is_text_or_its_bytes(version: Any, keys: Keys, identity: Any) -> None:
    shaken(version, lambda hint: (identity, KEY), keys.server)
    assert keys.identities == [identity.decode() if isinstance(identity, bytes) else identity]


@pytest.mark.parametrize("key", [KEY, bytearray(KEY), memoryview(KEY), KEY * 16])
def test_a_key_is_any_buffer(version: Any, key: Any) -> None:
    pair = shaken(version, lambda hint: ("me", key), lambda identity: key)
    assert pair.transfer(b"data", pair.client) == b"data"


def test_a_different_key_is_rejected(version: Any, keys: Keys) -> None:
    refused(version, keys.client, lambda identity: KEY[::-1])


def test_an_empty_key_means_no_key(version: Any, keys: Keys) -> None:
    refused(version, keys.client, lambda identity: b"")
    refused(version, lambda hint: ("me", b""), keys.server)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (3, TypeError),
        ((3, KEY), TypeError),
        (("me", "text"), TypeError),
        (("me", None), TypeError),
        (("m\0e", KEY), ValueError),
        (("m" * 1000, KEY), ValueError),
        (("me", bytes(1000)), ValueError),
    ],
)
def test_an_invalid_client_result_is_reported_and_means_no_key(
    version: Any, keys: Keys, unraisable: list[Any], answer: Any, error: type[Exception]
) -> None:
    refused(version, lambda hint: answer, keys.server)
    assert {type(report.exc_value) for report in unraisable} == {error}


@pytest.mark.parametrize(("answer", "error"), [(None, TypeError), ("text", TypeError), (bytes(1000), ValueError)])
def test_an_invalid_server_key_is_reported_and_means_no_key(
    version: Any, keys: Keys, unraisable: list[Any], answer: Any, error: type[Exception]
) -> None:
    refused(version, keys.client, lambda identity: answer)
    assert {type(report.exc_value) for report in unraisable} == {error}


def test_an_exception_of_a_callback_is_reported_and_means_no_key(
    version: Any, keys: Keys, unraisable: list[Any]
) -> None:
    def failing(_: Any) -> Any:
        raise LookupError

    refused(version, failing, keys.server)
    refused(version, keys.client, failing)
    assert {type(report.exc_value) for report in unraisable} == {LookupError}
    assert all(report.object is failing for report in unraisable)


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What sys.unraisablehook got."""
    reports: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", reports.append)
    return reports


def test_a_callback_can_be_removed(version: Any, keys: Keys) -> None:
    client, server = contexts(version)
    for context, setter, callback in (
        (client, client.set_psk_client_callback, keys.client),
        (server, server.set_psk_server_callback, keys.server),
    ):
        assert setter(callback) is None
        assert setter(None) is None
        assert context.get_ciphers()
    with pytest.raises(tls.SSLError):
        Pair(client, server, server_hostname=None).handshake()
    assert not keys.hints
    assert not keys.identities


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_arguments_are_checked(module: ModuleType) -> None:
    client = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
    server = module.SSLContext(module.PROTOCOL_TLS_SERVER)
    with pytest.raises(TypeError, match="callback must be callable"):
        client.set_psk_client_callback(3)
    with pytest.raises(TypeError, match="callback must be callable"):
        server.set_psk_server_callback(3)
    with pytest.raises(module.SSLError, match="Cannot add PSK client callback to a PROTOCOL_TLS_SERVER context"):
        server.set_psk_client_callback(callback=None)
    with pytest.raises(module.SSLError, match="Cannot add PSK server callback to a PROTOCOL_TLS_CLIENT context"):
        client.set_psk_server_callback(callback=None, identity_hint="hint")
    with pytest.raises(TypeError):
        server.set_psk_server_callback(print, 3)
    with pytest.raises(ValueError, match="embedded null character"):
        server.set_psk_server_callback(print, "a\0b")
    with pytest.raises(ValueError, match="failed to set identity hint"):
        server.set_psk_server_callback(print, "h" * 1000)


def test_a_context_for_both_roles_accepts_both_callbacks() -> None:
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS is deprecated"):
        context = tls.SSLContext(tls.PROTOCOL_TLS)
    context.set_psk_client_callback(lambda hint: ("me", KEY))
    context.set_psk_server_callback(lambda identity: KEY)
