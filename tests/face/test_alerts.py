"""The alert with which one end of a failed connection told the other: it is on the exceptions of both."""

from __future__ import annotations

import copy
import os
import pickle
import socket
import ssl as standard
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.kit.certificates import Certificates
from tests.kit.pair import Pair, attempt
from tests.kit.sockets import MODES, driven, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import Task

TLS12, TLS13 = standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3
Alert = standard.AlertDescription


class Failing(NamedTuple):
    """How a handshake fails: who finds out, and which alert says so."""

    prepare: Callable[[Certificates, Any, Any], None]
    finder: str
    alert: int
    versions: tuple[Any, ...] = (TLS12, TLS13)


def trust_another(certificates: Certificates, client: Any, server: Any) -> None:
    client.load_verify_locations(certificates.other_ca_file)


def show(name: str) -> Callable[[Certificates, Any, Any], None]:
    return lambda certificates, client, server: server.load_cert_chain(*getattr(certificates, name))


def demand(certificates: Certificates, client: Any, server: Any) -> None:
    server.verify_mode = tls.CERT_REQUIRED
    server.load_verify_locations(certificates.ca_file)


def demand_another(certificates: Certificates, client: Any, server: Any) -> None:
    demand(certificates, client, server)
    client.load_cert_chain(*certificates.client_of_other_ca)


def no_common_version(certificates: Certificates, client: Any, server: Any) -> None:
    other = TLS13 if server.maximum_version == TLS12 else TLS12
    server.minimum_version = server.maximum_version = other


def no_common_cipher(certificates: Certificates, client: Any, server: Any) -> None:
    client.set_ciphers("ECDHE+AESGCM")
    server.set_ciphers("ECDHE+CHACHA20")
    client.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    server.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256")


def answer_name_with(number: int) -> Callable[[Certificates, Any, Any], None]:
    def prepare(certificates: Certificates, client: Any, server: Any) -> None:
        server.sni_callback = lambda *_: number

    return prepare


FAILURES = {
    "untrusted": Failing(show("server_of_other_ca"), "client", Alert.ALERT_DESCRIPTION_UNKNOWN_CA),
    "expired": Failing(show("expired"), "client", Alert.ALERT_DESCRIPTION_CERTIFICATE_EXPIRED),
    "elsewhere": Failing(show("elsewhere"), "client", Alert.ALERT_DESCRIPTION_BAD_CERTIFICATE),
    "version": Failing(no_common_version, "server", Alert.ALERT_DESCRIPTION_PROTOCOL_VERSION, (TLS12,)),
    "cipher": Failing(no_common_cipher, "server", Alert.ALERT_DESCRIPTION_HANDSHAKE_FAILURE),
    "no client certificate, 1.2": Failing(demand, "server", Alert.ALERT_DESCRIPTION_HANDSHAKE_FAILURE, (TLS12,)),
    "no client certificate, 1.3": Failing(demand, "server", tls.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED, (TLS13,)),
    "untrusted client": Failing(demand_another, "server", Alert.ALERT_DESCRIPTION_UNKNOWN_CA),
    "name": Failing(answer_name_with(112), "server", Alert.ALERT_DESCRIPTION_UNRECOGNIZED_NAME),
    "ALPN": Failing(answer_name_with(120), "server", tls.ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL),
    "zero": Failing(answer_name_with(0), "server", Alert.ALERT_DESCRIPTION_CLOSE_NOTIFY),
}


CASES = [
    pytest.param(failing, version, id=f"{name}-{version.name}")
    for name, failing in FAILURES.items()
    for version in failing.versions
]


def contexts(failing: Failing, certificates: Certificates, version: Any) -> tuple[Any, Any]:
    made = certificates.client_context(version), certificates.server_context(version)
    failing.prepare(certificates, *made)
    return made


def check(failing: Failing, found: BaseException, told: BaseException) -> None:
    """What the one who found out raises, and what the other does."""
    assert isinstance(found, standard.SSLError)
    assert (found.alert, found.alert_sent) == (failing.alert, True)
    if failing.alert == Alert.ALERT_DESCRIPTION_CLOSE_NOTIFY:
        return  # to the other this is no failure, but the end
    told = told.__cause__ if isinstance(told, ConnectionError) else told
    assert isinstance(told, standard.SSLError)
    assert (told.alert, told.alert_sent) == (failing.alert, False)


@pytest.mark.parametrize(("failing", "version"), CASES)
def test_both_objects_say_which_alert_ended_the_handshake(
    failing: Failing, certificates: Certificates, version: Any
) -> None:
    failure = Pair(*contexts(failing, certificates, version)).until_error()
    assert failure.side == failing.finder
    check(failing, failure.error, failure.peer_error)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@pytest.mark.parametrize(("failing", "version"), CASES)
def test_both_sockets_say_which_alert_ended_the_handshake(
    failing: Failing, certificates: Certificates, version: Any, mode: Any
) -> None:
    client_context, server_context = contexts(failing, certificates, version)

    def serve() -> BaseException | None:
        plain, _ = listener.accept()
        plain.settimeout(mode.timeout)
        return ends(server_context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False))

    def ends(sock: Any) -> BaseException | None:
        with sock:
            try:
                driven(sock, sock.do_handshake)
                driven(sock, sock.recv, 1)
            except (standard.SSLError, ConnectionError) as error:
                return error
        return None

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Task(serve)
        plain = socket.create_connection(listener.getsockname())
        plain.settimeout(mode.timeout)
        wrapped = client_context.wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)
        ended = {"client": ends(wrapped), "server": serving.result()}
    found = ended.pop(failing.finder)
    check(failing, found, ended.popitem()[1])


NAMED = {
    40: Alert.ALERT_DESCRIPTION_HANDSHAKE_FAILURE,
    109: tls.ALERT_DESCRIPTION_MISSING_EXTENSION,
    116: tls.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED,
    120: tls.ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL,
    121: tls.ALERT_DESCRIPTION_ECH_REQUIRED,
}


def told(pair: Pair, number: int) -> Any:
    """What the client raises when the server's answer is this alert."""
    attempt(pair.client.do_handshake)
    pair.to_client.incoming.write(bytes([21, 3, 3, 0, 2, 2, number]))
    with pytest.raises(standard.SSLError) as raised:
        pair.client.do_handshake()
    return raised.value


@pytest.mark.parametrize("number", [40, 109, 116, 120, 121, 99, 255])
def test_an_alert_of_any_number_is_told_by_name_where_it_has_one(pair: Pair, number: int) -> None:
    error = told(pair, number)
    assert (error.alert, error.alert_sent) == (number, False)
    assert error.alert is NAMED.get(number) or type(error.alert) is int
    assert all(member.name.startswith("ALERT_DESCRIPTION_") for member in NAMED.values())


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("number", [40, 116, 99])
def test_an_exception_can_be_copied_and_sent_to_another_process(
    pair: Pair, number: int, copied: Callable[[Any], Any]
) -> None:
    error = told(pair, number)
    again = copied(error)
    assert (again.alert, again.alert_sent) == (number, False)
    assert repr(again.alert) == repr(error.alert)


def test_an_alert_that_openssl_does_not_send_is_not_said_to_be_sent(certificates: Certificates, version: Any) -> None:
    """It knows no such number."""
    server_context = certificates.server_context(version)
    server_context.sni_callback = lambda *_: 99
    error = Pair(certificates.client_context(version), server_context).until_error().error
    assert (error.alert, error.alert_sent) == (None, False)


@pytest.fixture
def shaken(pair: Pair) -> Pair:
    pair.handshake()
    return pair


def test_a_broken_record_is_told_and_the_reader_says_so(shaken: Pair) -> None:
    shaken.server.write(b"data")
    shaken.pump_altered(lambda record: record.damaged())
    with pytest.raises(standard.SSLError, match=r"BAD_RECORD_MAC|RECORD_LAYER_FAILURE") as found:
        shaken.client.read()
    assert (found.value.alert, found.value.alert_sent) == (Alert.ALERT_DESCRIPTION_BAD_RECORD_MAC, True)
    shaken.pump()
    with pytest.raises(standard.SSLError) as told:
        shaken.server.read()
    assert (told.value.alert, told.value.alert_sent) == (Alert.ALERT_DESCRIPTION_BAD_RECORD_MAC, False)


def test_an_alert_that_was_met_behind_data_is_that_of_the_next_read(client_context: Any, server_context: Any) -> None:
    other = Pair(client_context, server_context)
    other.handshake()
    other.server.write(b"of another connection")  # a broken record to this one
    with tls_sockets(client_context, server_context, suppress_ragged_eofs=False) as (client, server):
        server.sendall(b"data")
        os.write(server.fileno(), other.to_client.outgoing.read())
        assert client.recv(100) == b"data"
        with pytest.raises(standard.SSLError) as found:
            client.recv(1)
        assert (found.value.alert, found.value.alert_sent) == (Alert.ALERT_DESCRIPTION_BAD_RECORD_MAC, True)
        with pytest.raises(standard.SSLEOFError) as found:
            client.recv(1)
        assert (found.value.alert, found.value.alert_sent) == (None, False)
        with pytest.raises(standard.SSLError) as found:
            server.recv(1)
        assert (found.value.alert, found.value.alert_sent) == (Alert.ALERT_DESCRIPTION_BAD_RECORD_MAC, False)


def test_an_error_without_an_alert_says_that_there_is_none(
    shaken: Pair, client_context: Any, certificates: Certificates
) -> None:
    errors = []
    for call in (
        shaken.client.read,
        shaken.client.verify_client_post_handshake,
        lambda: client_context.load_cert_chain(certificates.client.chain, certificates.server.key),
    ):
        with pytest.raises(standard.SSLError) as raised:
            call()
        errors.append(raised.value)
    shaken.to_client.incoming.write_eof()
    with pytest.raises(standard.SSLEOFError) as raised:
        shaken.client.read()
    errors.append(raised.value)
    assert [(error.alert, error.alert_sent) for error in errors] == [(None, False)] * 4


def test_a_close_notify_is_no_alert_of_a_failure(shaken: Pair) -> None:
    attempt(shaken.client.unwrap)
    shaken.pump()
    assert shaken.server.read() == b""
    attempt(shaken.server.unwrap)
    shaken.pump()
    with pytest.raises(standard.SSLZeroReturnError) as raised:
        shaken.client.read()
    assert (raised.value.alert, raised.value.alert_sent) == (None, False)


def test_what_failed_before_is_not_told_again(certificates: Certificates, version: Any) -> None:
    """Only the call that sent the alert says so."""
    pair = Pair(certificates.client_context(version, ca_file=certificates.other_ca_file), certificates.server_context())
    assert pair.until_error().error.alert_sent
    with pytest.raises(standard.SSLError) as raised:
        pair.client.do_handshake()
    assert (raised.value.alert, raised.value.alert_sent) == (None, False)
