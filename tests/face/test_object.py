"""SSLObject: TLS over two memory BIOs, in a program that transfers the bytes itself."""

from __future__ import annotations

import copy
import ssl as standard
from typing import Any

import pytest

from tests.kit.deliveries import Delivery
from tests.kit.pair import Pair
from tests.kit.subject import tls


def test_bytes_arrive_however_they_are_delivered(pair: Pair, delivery: Delivery) -> None:
    pair.handshake(delivery)
    data = bytes(range(256)) * 100
    assert pair.transfer(data, pair.client, delivery) == data
    assert pair.transfer(data, pair.server, delivery) == data
    pair.close()


def test_it_raises_want_read_until_data_arrives(pair: Pair) -> None:
    with pytest.raises(tls.SSLWantReadError) as caught:
        pair.client.do_handshake()
    assert caught.value.errno == tls.SSL_ERROR_WANT_READ
    assert pair.to_server.outgoing.pending > 0


def test_reading_and_writing_perform_the_handshake(pair: Pair) -> None:
    with pytest.raises(tls.SSLWantReadError):
        pair.client.write(b"data")
    assert pair.to_server.outgoing.pending > 0
    with pytest.raises(tls.SSLWantReadError):
        pair.server.read()


def test_nothing_is_known_before_the_handshake(pair: Pair) -> None:
    client = pair.client
    assert client.version() is client.cipher() is client.group() is client.selected_alpn_protocol() is None
    assert client.shared_ciphers() is client.compression() is client.get_channel_binding() is None
    assert client.pending() == 0
    assert client.session_reused is False
    assert client.get_verified_chain() == client.get_unverified_chain() == []
    with pytest.raises(ValueError, match="handshake not done yet"):
        client.getpeercert()
    assert (client.server_side, pair.server.server_side) == (False, True)
    assert (client.server_hostname, pair.server.server_hostname) == ("localhost", None)


def test_read_fills_a_buffer(pair: Pair) -> None:
    pair.handshake()
    pair.server.write(b"0123456789")
    pair.pump()
    buffer = bytearray(4)
    assert pair.client.read(4, buffer) == 4
    assert buffer == b"0123"
    with memoryview(buffer) as view:
        assert pair.client.read(2, view) == 2
    assert buffer == b"4523"
    assert pair.client.pending() == 4
    assert pair.client.read(0) == b""
    assert pair.client.read() == b"6789"


def test_the_peers_close_notify_is_an_empty_read(pair: Pair) -> None:
    pair.handshake()
    with pytest.raises(tls.SSLWantReadError):
        pair.server.unwrap()
    pair.pump()
    assert pair.client.read() == b""
    assert pair.client.read() == b""
    assert pair.client.unwrap() is None
    pair.pump()
    assert pair.server.unwrap() is None


def test_an_end_without_close_notify_is_an_error_and_stays_one(pair: Pair) -> None:
    pair.handshake()
    pair.to_client.incoming.write_eof()
    with pytest.raises(tls.SSLEOFError) as caught:
        pair.client.read()
    assert caught.value.args[0] == tls.SSL_ERROR_EOF
    assert (caught.value.library, caught.value.reason) == ("SSL", "UNEXPECTED_EOF_WHILE_READING")
    write, read_nothing = (lambda: pair.client.write(b"x")), (lambda: pair.client.read(0))
    for operation in (pair.client.read, pair.client.do_handshake, write, read_nothing):
        with pytest.raises(tls.SSLEOFError):
            operation()


def test_a_copy_shares_the_connection(pair: Pair) -> None:
    assert copy.copy(pair.client)._sslobj is pair.client._sslobj


def test_errors_name_a_wrong_host_and_a_wrong_ca(certificates: Any, version: Any) -> None:
    wrong_name = Pair(
        certificates.client_context(version),
        certificates.server_context(version, credentials=certificates.elsewhere),
    ).until_error()
    error = wrong_name.error
    assert isinstance(error, tls.SSLCertVerificationError)
    assert (error.verify_code, error.library, error.reason) == (62, "SSL", "CERTIFICATE_VERIFY_FAILED")
    assert error.verify_message == "Hostname mismatch, certificate is not valid for 'localhost'."
    wrong_ca = Pair(
        certificates.client_context(version, ca_file=certificates.other_ca_file), certificates.server_context(version)
    ).until_error()
    assert isinstance(wrong_ca.error, standard.CertificateError)
    assert wrong_ca.side == "client"


def test_a_memory_bio_is_a_queue_of_bytes() -> None:
    bio = tls.MemoryBIO()
    assert (bio.read(), bio.pending, bio.eof) == (b"", 0, False)
    assert bio.write(b"hello") == 5
    assert bio.write(memoryview(b" world")) == 6
    assert bio.pending == 11
    assert bio.read(5) == b"hello"
    bio.write_eof()
    assert bio.eof is False
    assert bio.read() == b" world"
    assert bio.eof is True
    with pytest.raises(tls.SSLError) as caught:
        bio.write(b"x")
    assert caught.value.args == ("cannot write() after write_eof()",)
