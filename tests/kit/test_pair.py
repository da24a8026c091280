import ssl as standard

import pytest

from tests.kit.certificates import ELSEWHERE
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.records import HANDSHAKE
from tests.kit.subject import tls

DATA = bytes(range(256)) * 200


def test_handshake_completes_on_both_sides(pair, version, delivery):
    pair.handshake(delivery)
    assert pair.client.version() == pair.server.version() == version.name.replace("_", ".")
    assert pair.client.cipher() == pair.server.cipher()
    assert pair.pump() == 0


def test_handshake_reports_which_side_is_stuck(pair):
    with pytest.raises(AssertionError, match="the handshake of the client and the server has not ended"):
        pair.handshake(alter=lambda record: b"")


def test_handshake_raises_the_error_of_the_side_that_fails(certificates, server_context, version):
    pair = Pair(certificates.client_context(version), server_context, server_hostname=ELSEWHERE)
    with pytest.raises(standard.SSLCertVerificationError):
        pair.handshake()


def test_until_error_reports_which_side_failed_and_the_others_error(certificates, server_context, version):
    pair = Pair(certificates.client_context(version), server_context, server_hostname=ELSEWHERE)
    side, error, peer_error = pair.until_error()
    assert side == "client"
    assert isinstance(error, standard.SSLCertVerificationError)
    assert "ALERT_BAD_CERTIFICATE" in peer_error.reason


def test_until_error_reads_after_the_handshake(certificates, version):
    """In TLS 1.3 a client learns only then that the server requires its certificate."""
    demanding = certificates.server_context(version, client_ca=certificates.ca_file)
    side, error, peer_error = Pair(certificates.client_context(version), demanding).until_error()
    assert side == "server"
    assert error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    assert "ALERT" in peer_error.reason


def test_until_error_requires_an_error(pair):
    with pytest.raises(AssertionError, match="neither side failed"):
        pair.until_error()


def test_until_error_with_a_damaged_handshake(pair, delivery):
    def damage(record):
        return record.damaged() if record.type == HANDSHAKE else record.raw

    failure = pair.until_error(delivery, damage)
    assert isinstance(failure.error, standard.SSLError)


def test_pump_transfers_bytes_without_calling_a_verb(pair):
    assert attempt(pair.client.do_handshake) is WANT
    assert pair.pump() > 0
    assert pair.pump() == 0
    assert attempt(pair.server.do_handshake) is WANT
    assert pair.pump() > 0


def test_pump_altered_shows_and_changes_records_in_flight(pair):
    pair.handshake()
    pair.server.write(b"first")
    pair.server.write(b"second")
    seen = []

    def only_the_first(record):
        seen.append(record)
        return record.raw if len(seen) == 1 else b""

    assert pair.pump_altered(only_the_first) == len(seen[0].raw)
    assert len(seen) == 2
    assert pair.read_all(pair.client) == b"first"


def test_a_damaged_record_is_rejected(pair):
    pair.handshake()
    pair.server.write(b"data")
    pair.pump_altered(lambda record: record.damaged())
    with pytest.raises(standard.SSLError, match=r"(?i)bad.record.mac|record.layer.failure"):
        pair.client.read()


def test_transfer_both_ways(pair, delivery):
    pair.handshake()
    assert pair.transfer(DATA, pair.client, delivery) == DATA
    assert pair.transfer(DATA, pair.server, delivery) == DATA


def test_close_notifies_both_sides(pair):
    pair.handshake()
    pair.close()
    with pytest.raises(standard.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
        pair.client.write(b"more")
    with pytest.raises(standard.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
        pair.server.write(b"more")


@pytest.mark.parametrize("modules", [(tls, standard), (standard, tls)], ids=["with-std-server", "with-std-client"])
def test_a_pair_may_be_of_two_modules(certificates, version, modules):
    client_module, server_module = modules
    pair = Pair(
        certificates.client_context(version, module=client_module),
        certificates.server_context(version, module=server_module),
    )
    pair.handshake()
    assert pair.transfer(DATA, pair.client) == DATA
