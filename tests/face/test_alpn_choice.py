"""alpn_callback and alpn_required: which application protocol, and whether there must be one."""

from __future__ import annotations

from typing import Any

import pytest

import wiretight
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair, attempt
from tests.kit.sockets import MODES, tls_sockets


@pytest.fixture
def server(certificates: Certificates, version: Any) -> Any:
    return certificates.server_context(version)


@pytest.fixture
def client(certificates: Certificates, version: Any) -> Any:
    return certificates.client_context(version, alpn=["h2", "http/1.1"])


@pytest.fixture
def silent(certificates: Certificates, version: Any) -> Any:
    """A client that offers no protocol."""
    return certificates.client_context(version)


@pytest.mark.parametrize("answer", ["h2", "http/1.1", None])
def test_the_callback_selects(client: Any, server: Any, answer: Any) -> None:
    calls: list[Any] = []
    server.set_alpn_protocols(["h2"])  # is not asked
    server.alpn_callback = lambda *args: (calls.append(args), answer)[1]
    pair = Pair(client, server)
    pair.handshake()

    assert calls == [(pair.server, ("h2", "http/1.1"))]
    assert pair.client.selected_alpn_protocol() == pair.server.selected_alpn_protocol() == answer


def test_it_is_not_called_for_who_offers_none(silent: Any, server: Any) -> None:
    server.alpn_callback = lambda *_: 1 / 0
    Pair(silent, server).handshake()


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_sockets_call_it_too(client: Any, server: Any, mode: Any) -> None:
    server.alpn_callback = lambda _, offered: offered[-1]
    with tls_sockets(client, server, mode=mode) as ends:
        assert {end.selected_alpn_protocol() for end in ends} == {"http/1.1"}


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        ("h3", ValueError, "one of the protocols that the client offers, not 'h3'"),
        ("", ValueError, "one of the protocols"),
        (b"h2", TypeError, "a protocol or None, not bytes"),
        (0, TypeError, "a protocol or None, not int"),
    ],
)
def test_a_wrong_answer_ends_the_handshake(client: Any, server: Any, answer: Any, kind: Any, sentence: str) -> None:
    server.alpn_callback = lambda *_: answer
    error: Any = Pair(client, server).until_error().error

    assert isinstance(error.__context__, kind)
    assert sentence in str(error.__context__)
    assert error.alert == 120


def test_without_a_requirement_nothing_is_required(client: Any, silent: Any, server: Any) -> None:
    assert server.alpn_required is False
    server.set_alpn_protocols(["spdy/3"])
    for context in (client, silent):
        Pair(context, server).handshake()


@pytest.mark.parametrize("who", ["client", "silent"])
@pytest.mark.parametrize("by", ["list", "callback", "nothing"])
def test_a_server_refuses_who_has_no_protocol_of_its_own(
    client: Any, silent: Any, server: Any, who: str, by: str
) -> None:
    server.alpn_required = True
    if by == "list":
        server.set_alpn_protocols(["spdy/3"])
    if by == "callback":
        server.alpn_callback = lambda *_: None
    failure = Pair(silent if who == "silent" else client, server).until_error()
    error: Any = failure.error

    assert failure.side == "server"
    assert (error.reason, error.alert, error.alert_sent) == ("NO_APPLICATION_PROTOCOL", 120, True)


def test_a_server_serves_who_has(client: Any, server: Any) -> None:
    server.alpn_required = True
    server.set_alpn_protocols(["http/1.1"])
    pair = Pair(client, server)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"


def test_the_requirement_of_a_chosen_context_counts(silent: Any, server: Any, certificates: Certificates) -> None:
    strict = certificates.server_context()
    strict.alpn_required = True
    server.sni_callback = lambda connection, *_: setattr(connection, "context", strict)
    assert Pair(silent, server).until_error().error.alert == 120  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", ["do_handshake", "read", "write"])
def test_a_client_exchanges_no_data_without(client: Any, server: Any, verb: str) -> None:
    client.alpn_required = True
    pair = Pair(client, server)
    arguments = [b"secret"] if verb == "write" else []

    def turns() -> None:
        for _ in range(6):
            attempt(getattr(pair.client, verb), *arguments)
            pair.pump()
            attempt(pair.server.do_handshake)
            pair.pump()

    with pytest.raises(wiretight.SSLError) as caught:
        turns()
    assert caught.value.reason == "NO_APPLICATION_PROTOCOL"
    for again in (pair.client.do_handshake, pair.client.read, lambda: pair.client.write(b"secret")):
        with pytest.raises(wiretight.SSLError, match="NO_APPLICATION_PROTOCOL"):
            again()
    pair.pump()
    assert attempt(pair.server.do_handshake) is None
    assert pair.server.read() == b""  # its end, and nothing else


def test_a_client_goes_on_with_one(client: Any, server: Any) -> None:
    client.alpn_required = True
    server.set_alpn_protocols(["h2"])
    pair = Pair(client, server)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_socket_of_a_client_fails_too(client: Any, server: Any, mode: Any) -> None:
    client.alpn_required = True
    with pytest.raises(wiretight.SSLError, match="NO_APPLICATION_PROTOCOL"):
        with tls_sockets(client, server, mode=mode):
            pass
