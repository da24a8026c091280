"""Memory BIOs: the subject's SSLObject and the standard library's, in both roles, with data of every size."""

import os
import ssl as standard

import pytest

from tests.kit.certificates import ELSEWHERE
from tests.kit.pair import Pair
from tests.kit.records import records
from tests.kit.standard import needs_truncation_errors

DATA = os.urandom(100_000)


def shaken(peers, **options):
    pair = Pair(peers.client_context(), peers.server_context(), **options)
    pair.handshake()
    return pair


def test_handshake_and_data_both_ways(peers, delivery):
    pair = Pair(peers.client_context(), peers.server_context())
    pair.handshake(delivery)
    assert pair.client.version() == pair.server.version() == peers.version.name.replace("_", ".")
    assert pair.client.cipher() == pair.server.cipher()
    assert ("DNS", "localhost") in pair.client.getpeercert()["subjectAltName"]
    assert pair.transfer(DATA, pair.client, delivery) == DATA
    assert pair.transfer(DATA, pair.server, delivery) == DATA


def test_close_on_both_sides(peers):
    pair = shaken(peers)
    pair.close()
    with pytest.raises(standard.SSLError, match="PROTOCOL_IS_SHUTDOWN"):
        pair.client.write(b"more")


@pytest.mark.parametrize(
    ("credentials", "verify_code"), [("elsewhere", 62), ("expired", 10), ("server_of_other_ca", 20)]
)
def test_a_bad_certificate_is_refused(peers, certificates, delivery, credentials, verify_code):
    server_context = peers.server_context(credentials=getattr(certificates, credentials))
    side, error, peer_error = Pair(peers.client_context(), server_context).until_error(delivery)
    assert (side, error.verify_code) == ("client", verify_code)
    assert "ALERT" in peer_error.reason


def test_a_required_client_certificate(peers, certificates):
    server_context = peers.server_context(client_ca=certificates.ca_file)
    Pair(peers.client_context(credentials=certificates.client), server_context).handshake()
    side, error, peer_error = Pair(peers.client_context(), server_context).until_error()
    assert (side, error.reason) == ("server", "PEER_DID_NOT_RETURN_A_CERTIFICATE")
    assert "ALERT" in peer_error.reason


def test_alpn(peers):
    pair = Pair(peers.client_context(alpn=["h2", "http/1.1"]), peers.server_context(alpn=["http/1.1"]))
    pair.handshake()
    assert pair.client.selected_alpn_protocol() == pair.server.selected_alpn_protocol() == "http/1.1"


def test_sni_switches_to_the_context_of_that_name(peers, certificates):
    first, second = peers.server_context(), peers.server_context(credentials=certificates.elsewhere)

    def switch(side, name, context):
        side.context = second

    first.sni_callback = switch
    pair = Pair(peers.client_context(), first, server_hostname=ELSEWHERE)
    pair.handshake()
    assert pair.server.context is second


def test_a_session_is_resumed(peers):
    client_context, server_context = peers.client_context(), peers.server_context()
    first = Pair(client_context, server_context)
    first.handshake()
    first.transfer(b"hello", first.server)
    second = Pair(client_context, server_context, session=first.client.session)
    second.handshake()
    assert not first.client.session_reused
    assert second.client.session_reused
    assert second.server.session_reused


def test_data_then_the_end_without_close_notify(peers, delivery):
    needs_truncation_errors(peers.client_context())
    pair = shaken(peers)
    pair.server.write(b"half")
    pair.pump(delivery)
    pair.to_client.incoming.write_eof()
    assert pair.client.read(4) == b"half"
    with pytest.raises(standard.SSLEOFError):
        pair.client.read(1)


def test_the_end_in_the_middle_of_a_record(peers):
    needs_truncation_errors(peers.client_context())
    pair = shaken(peers)
    pair.server.write(b"never complete")
    pair.pump_altered(lambda record: record.raw[:-1])
    pair.to_client.incoming.write_eof()
    with pytest.raises(standard.SSLEOFError):
        pair.client.read(1)


def test_a_record_changed_in_flight(peers):
    pair = shaken(peers)
    pair.server.write(b"data")
    pair.pump_altered(lambda record: record.damaged())
    with pytest.raises(standard.SSLError, match=r"(?i)bad.record.mac|record.layer.failure"):
        pair.client.read()
    pair.pump()
    with pytest.raises(standard.SSLError, match="ALERT_BAD_RECORD_MAC"):
        pair.server.read()


def test_a_replayed_record(peers):
    pair = shaken(peers)
    pair.client.write(b"pay once")
    pair.pump_altered(lambda record: record.raw * 2)
    assert pair.server.read() == b"pay once"
    with pytest.raises(standard.SSLError, match=r"(?i)bad.record.mac|record.layer.failure"):
        pair.server.read()


def test_records_are_full_if_there_is_enough_data(peers):
    pair = shaken(peers)
    unsent = memoryview(DATA)
    while unsent:
        unsent = unsent[pair.client.write(unsent) :]
    sizes = [len(record.body) for record in records(pair.to_server.outgoing.read())]
    assert min(sizes[:-1]) >= 1 << 14
    assert len(sizes) == -(-len(DATA) // (1 << 14))
