"""The way back from OpenSSL's SSL_CTX to its context works while the context lives, and does not keep it alive."""

from __future__ import annotations

import gc
import weakref

import wiretight
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair
from wiretight._core.context.context import Context, handle_of


class Derived(wiretight.SSLContext):
    """A context of a program's own class."""


def test_an_ssl_ctx_leads_back_to_its_context() -> None:
    for context in (Context(17), wiretight.create_default_context(), Derived(wiretight.PROTOCOL_TLS_SERVER)):
        assert handle_of(context).owner is context


def test_an_ssl_ctx_keeps_no_context_alive() -> None:
    context = Derived(wiretight.PROTOCOL_TLS_CLIENT)
    context.kept = context  # type: ignore[attr-defined]
    handle, gone = handle_of(context), weakref.ref(context)
    del context
    gc.collect()
    assert gone() is None
    assert handle.owner is None


def test_an_ssl_ctx_outlives_the_context_of_its_connection(certificates: Certificates) -> None:
    first, second = certificates.server_context(), certificates.server_context()
    handle = handle_of(first)

    def choose(connection: wiretight.SSLObject, name: str, context: wiretight.SSLContext) -> None:
        connection.context = second

    first.sni_callback = choose
    pair = Pair(certificates.client_context(), first, server_hostname=HOST)
    pair.handshake()
    del first, choose
    gc.collect()
    assert handle.owner is None
    assert pair.transfer(b"still there", pair.server) == b"still there"
