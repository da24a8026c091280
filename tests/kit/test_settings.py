"""The kit finds the settings of a context."""

from __future__ import annotations

from tests.kit.settings import SETTINGS
from tests.kit.subject import tls


def test_it_finds_properties_and_methods() -> None:
    assert {"options", "verify_mode", "sni_callback", "set_ciphers", "load_cert_chain"} <= set(SETTINGS)


def test_it_skips_what_can_only_be_read_or_is_no_setting() -> None:
    assert hasattr(tls.SSLContext, "protocol")
    assert not {"protocol", "security_level", "session_stats", "sslsocket_class", "wrap_socket"} & set(SETTINGS)
