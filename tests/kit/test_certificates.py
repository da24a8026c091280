import ssl as standard

import pytest

from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.subject import tls


def test_contexts_come_from_the_subject_by_default(certificates):
    assert type(certificates.client_context()) is tls.SSLContext
    assert type(certificates.server_context(module=standard)) is standard.SSLContext


def test_a_context_allows_one_version(certificates, version):
    context = certificates.server_context(version)
    assert context.minimum_version == context.maximum_version == version


def test_server_names_are_a_host_and_addresses(certificates, version):
    for name in ("localhost", "127.0.0.1", "::1"):
        client, server = certificates.client_context(version), certificates.server_context(version)
        Pair(client, server, server_hostname=name).handshake()


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ("elsewhere", "Hostname mismatch"),
        ("expired", "certificate has expired"),
        ("server_of_other_ca", "unable to get local issuer certificate"),
    ],
)
def test_bad_servers_are_bad_for_the_reason_in_their_name(certificates, version, credentials, message):
    server = certificates.server_context(version, credentials=getattr(certificates, credentials))
    failure = Pair(certificates.client_context(version), server).until_error()
    assert failure.side == "client"
    assert message in failure.error.verify_message


def test_a_client_certificate_is_accepted_by_a_server_that_requires_it(certificates, version):
    client = certificates.client_context(version, credentials=certificates.client)
    pair = Pair(client, certificates.server_context(version, client_ca=certificates.ca_file))
    pair.handshake()
    assert ("commonName", "client") in [name[0] for name in pair.server.getpeercert()["subject"]]


def test_they_are_not_made_in_the_folder_of_others(certificates):
    with pytest.raises(FileExistsError, match="has certificates already"):
        Certificates(certificates.folder)
