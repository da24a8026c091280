"""Exported keys and channel bindings: what both ends, and nobody else, derive from one handshake."""

from __future__ import annotations

import hashlib
import ssl as standard
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import Certificates, Credentials
from tests.kit.pair import Pair
from tests.kit.programs import program
from tests.kit.sockets import tls_sockets
from tests.kit.subject import tls

LABEL = "EXPERIMENTAL wiretight tests"
NO_EXTENDED_MASTER_SECRET = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET, which has no name in `ssl`
TLS12, TLS13 = standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3


@pytest.fixture
def shaken(pair: Pair) -> Pair:
    pair.handshake()
    return pair


@pytest.fixture(params=["object", "blocking", "timeout", "non-blocking"])
def ends(request: pytest.FixtureRequest, client_context: Any, server_context: Any) -> Iterator[tuple[Any, Any]]:
    """(client, server) after their handshake, of each kind that a program can have."""
    if request.param == "object":
        pair = Pair(client_context, server_context)
        pair.handshake()
        yield pair.client, pair.server
        return
    with tls_sockets(client_context, server_context) as sockets:
        for sock in sockets:
            sock.settimeout({"blocking": None, "timeout": 5.0, "non-blocking": 0.0}[request.param])
        yield sockets


def bindings(kind: str, *sides: Any) -> Any:
    """What the sides have; it has to be the same."""
    (found,) = {side.get_channel_binding(kind) for side in sides}
    return found


# --- Exported keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 32, 8160])
@pytest.mark.parametrize(
    "context", [None, b"", b"a context", memoryview(bytearray(512))], ids=["none", "empty", "bytes", "buffer"]
)
def test_both_ends_export_the_same(ends: tuple[Any, Any], length: int, context: Any) -> None:
    ours, theirs = (end.export_keying_material(LABEL, length, context) for end in ends)
    assert type(ours) is bytes
    assert len(ours) == length
    assert ours == theirs


def test_each_label_context_and_connection_has_keys_of_its_own(
    shaken: Pair, client_context: Any, server_context: Any
) -> None:
    other = Pair(client_context, server_context)
    other.handshake()
    keys = [
        shaken.client.export_keying_material(LABEL, 32),
        shaken.client.export_keying_material(LABEL + "2", 32),
        shaken.client.export_keying_material(LABEL, 32, b"a context"),
        shaken.client.export_keying_material(LABEL, 32, b"another context"),
        other.client.export_keying_material(LABEL, 32),
    ]
    assert len(set(keys)) == len(keys)


def test_only_tls_1_2_tells_an_empty_context_from_none(shaken: Pair, version: Any) -> None:
    without, empty = (shaken.client.export_keying_material(LABEL, 32, context) for context in (None, b""))
    assert (without != empty) == (version == TLS12)
    assert empty == shaken.server.export_keying_material(LABEL, 32, bytearray())


def test_a_long_context_is_hashed_or_refused_with_a_way_out(shaken: Pair, version: Any) -> None:
    def exported() -> list[bytes]:
        return [side.export_keying_material(LABEL, 32, bytes(65535)) for side in (shaken.client, shaken.server)]

    if version == TLS12 and tls.OPENSSL_VERSION_INFO < (3, 2):
        with pytest.raises(ValueError, match="takes no context of 65535 bytes on this connection: use a digest"):
            exported()
    else:
        assert len(set(exported())) == 1


def test_there_are_no_keys_before_the_handshake_is_done(pair: Pair) -> None:
    for side in (pair.client, pair.server):
        with pytest.raises(ValueError, match="the handshake is not done yet"):
            side.export_keying_material(LABEL, 32)
        with pytest.raises(ValueError, match="no early data"):
            side.export_keying_material(LABEL, 32, early=True)
    assert [bindings(kind, pair.client, pair.server) for kind in tls.CHANNEL_BINDING_TYPES] == [None] * 3


def test_there_are_no_keys_of_a_handshake_that_failed(certificates: Certificates, version: Any) -> None:
    pair = Pair(certificates.client_context(version, ca_file=certificates.other_ca_file), certificates.server_context())
    pair.until_error()
    with pytest.raises(ValueError, match="or has failed"):
        pair.client.export_keying_material(LABEL, 32)
    assert pair.client.get_channel_binding("tls-exporter") is None


def test_there_are_no_keys_without_a_connection(client_context: Any, server_context: Any) -> None:
    with tls_sockets(client_context, server_context) as (client, _):
        client.close()
        with pytest.raises(ValueError, match="No SSL wrapper around"):
            client.export_keying_material(LABEL, 32)
        assert [client.get_channel_binding(kind) for kind in tls.CHANNEL_BINDING_TYPES] == [None] * 3


@pytest.mark.parametrize("side", ["client", "server"])
def test_tls_1_2_without_the_extended_master_secret_exports_nothing(certificates: Certificates, side: str) -> None:
    """Whichever end lacks it (RFC 7627, 5.4)."""
    contexts = {"client": certificates.client_context(TLS12), "server": certificates.server_context(TLS12)}
    contexts[side].options |= NO_EXTENDED_MASTER_SECRET
    contexts["client"].options |= tls.OP_NO_RENEGOTIATION
    pair = Pair(contexts["client"], contexts["server"])
    pair.handshake()
    for end in (pair.client, pair.server):
        with pytest.raises(ValueError, match="no extended master secret"):
            end.export_keying_material(LABEL, 32)
        with pytest.raises(ValueError, match="no extended master secret"):
            end.get_channel_binding("tls-exporter")
    assert bindings("tls-unique", pair.client, pair.server)
    assert bindings("tls-server-end-point", pair.client, pair.server)


def test_a_callback_may_ask_for_keys(certificates: Certificates, version: Any) -> None:
    found = []

    def note(connection: Any, *_: Any) -> None:
        if connection.version() is not None:
            found.append(connection.export_keying_material(LABEL, 32))

    client_context = certificates.client_context(version)
    client_context._msg_callback = note
    pair = Pair(client_context, certificates.server_context(version))
    pair.handshake()
    pair.transfer(b"data", pair.client)
    assert set(found) == {pair.server.export_keying_material(LABEL, 32)}


# --- Channel bindings -------------------------------------------------------------------------------------------------


def test_every_type_is_in_the_list_and_names_the_connection(
    certificates: Certificates, version: Any, server_context: Any
) -> None:
    client_context = certificates.client_context(version)
    client_context.options |= tls.OP_NO_RENEGOTIATION
    pairs = [Pair(client_context, server_context) for _ in range(2)]
    for pair in pairs:
        pair.handshake()
    first, second = ({kind: bindings(kind, it.client, it.server) for kind in tls.CHANNEL_BINDING_TYPES} for it in pairs)
    assert first.keys() == {"tls-unique", "tls-exporter", "tls-server-end-point"}
    assert first["tls-server-end-point"] == second["tls-server-end-point"]
    assert first["tls-exporter"] != second["tls-exporter"]
    assert first["tls-unique"] != second["tls-unique"]


def test_tls_exporter_is_an_exported_key(ends: tuple[Any, Any], version: Any) -> None:
    """RFC 9266, 2. The server does not let its client renegotiate, so it has it in both versions."""
    expected = ends[0].export_keying_material("EXPORTER-Channel-Binding", 32, b"")
    assert ends[1].get_channel_binding("tls-exporter") == expected
    if version == TLS13:
        assert ends[0].get_channel_binding("tls-exporter") == expected


def test_a_connection_that_may_be_renegotiated_has_no_tls_exporter(certificates: Certificates) -> None:
    """RFC 9266, 4.2."""
    client_context, server_context = certificates.client_context(TLS12), certificates.server_context(TLS12)
    server_context.options |= 1 << 8  # SSL_OP_ALLOW_CLIENT_RENEGOTIATION
    pair = Pair(client_context, server_context)
    pair.handshake()
    for side in (pair.client, pair.server):
        with pytest.raises(ValueError, match="set OP_NO_RENEGOTIATION"):
            side.get_channel_binding("tls-exporter")
    for context in (client_context, server_context):
        context.options |= tls.OP_NO_RENEGOTIATION
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert bindings("tls-exporter", pair.client, pair.server)


SIGNED = {
    "md5": ["-newkey", "rsa:2048", "-md5"],
    "sha1": ["-newkey", "rsa:2048", "-sha1"],
    "sha224": ["-newkey", "rsa:2048", "-sha224"],
    "sha384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha384"],
    "sha512": ["-newkey", "rsa:2048", "-sha512"],
    "sha3_256": ["-newkey", "rsa:2048", "-sha3-256"],
    "pss": ["-newkey", "rsa:2048", "-sha384", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_mgf1_md:sha256"],
    "ed25519": ["-newkey", "ed25519"],
}
DIGESTS = {"md5": "sha256", "sha1": "sha256", "pss": "sha384"}


@pytest.fixture
def signed(tmp_path: Path) -> Callable[[str], Credentials]:
    """Makes a self-signed certificate whose signature is of this kind."""

    def make(kind: str) -> Credentials:
        made = Credentials(tmp_path / f"{kind}.pem", tmp_path / f"{kind}.key")
        command = ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=localhost", *SIGNED[kind]]
        command += ["-out", str(made.chain), "-keyout", str(made.key)]
        assert program("openssl", "openssl")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return made

    return make


def trusting(version: Any) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = tls.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


def digest(credentials: Credentials, function: str) -> bytes:
    return hashlib.new(function, tls.PEM_cert_to_DER_cert(credentials.chain.read_text())).digest()


@pytest.mark.parametrize("kind", sorted(set(SIGNED) - {"ed25519"}))
def test_tls_server_end_point_is_a_digest_of_the_servers_certificate(
    certificates: Certificates, version: Any, signed: Callable[[str], Credentials], kind: str
) -> None:
    """With the hash function of its signature, and nothing weaker than SHA-256 (RFC 5929, 4.1)."""
    credentials = signed(kind)
    pair = Pair(trusting(version), certificates.server_context(version, credentials=credentials))
    pair.handshake()
    assert bindings("tls-server-end-point", pair.client, pair.server) == digest(credentials, DIGESTS.get(kind, kind))


def test_a_signature_without_a_hash_function_has_no_end_point(
    certificates: Certificates, version: Any, signed: Callable[[str], Credentials]
) -> None:
    pair = Pair(trusting(version), certificates.server_context(version, credentials=signed("ed25519")))
    pair.handshake()
    for side in (pair.client, pair.server):
        with pytest.raises(ValueError, match=r"names no hash function.*use \"tls-exporter\""):
            side.get_channel_binding("tls-server-end-point")


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("rsa_pss_rsae_sha256", "sha512"), ("ecdsa_secp256r1_sha256", "sha384")]
)
def test_a_server_with_several_certificates_knows_which_it_sent(
    certificates: Certificates, version: Any, signed: Callable[[str], Credentials], algorithm: str, kind: str
) -> None:
    server_context = certificates.server_context(version, credentials=signed("sha512"))
    server_context.load_cert_chain(*signed("sha384"))
    client_context = trusting(version)
    client_context.set_server_sigalgs(algorithm)
    pair = Pair(client_context, server_context)
    pair.handshake()
    sent = pair.client.getpeercert(True)
    assert bindings("tls-server-end-point", pair.client, pair.server) == hashlib.new(kind, sent).digest()


def test_a_context_that_is_assigned_later_changes_no_end_point(certificates: Certificates, shaken: Pair) -> None:
    expected = bindings("tls-server-end-point", shaken.client, shaken.server)
    for credentials in (certificates.elsewhere, certificates.expired):
        shaken.server.context = certificates.server_context(credentials=credentials)
    assert bindings("tls-server-end-point", shaken.client, shaken.server) == expected


def test_only_the_client_of_a_resumed_session_knows_the_certificate(
    shaken: Pair, client_context: Any, server_context: Any
) -> None:
    shaken.transfer(b"data", shaken.server)
    expected = bindings("tls-server-end-point", shaken.client, shaken.server)
    again = Pair(client_context, server_context, session=shaken.client.session)
    again.handshake()
    assert again.client.session_reused
    assert again.client.get_channel_binding("tls-server-end-point") == expected
    with pytest.raises(ValueError, match="the client of a resumed session was shown"):
        again.server.get_channel_binding("tls-server-end-point")
    assert again.client.export_keying_material(LABEL, 32) == again.server.export_keying_material(LABEL, 32)


@pytest.mark.skipif(not tls.HAS_PSK, reason="this OpenSSL was built without pre-shared keys")
def test_without_a_certificate_there_is_no_end_point(certificates: Certificates, version: Any) -> None:
    client_context, server_context = trusting(version), certificates.server_context(version)
    for context in (client_context, server_context):
        context.set_ciphers("PSK")
        context.set_ciphersuites("TLS_AES_128_GCM_SHA256")  # whose hash function such keys are for
    client_context.set_psk_client_callback(lambda hint: ("me", b"0123456789abcdef"))
    server_context.set_psk_server_callback(lambda identity: b"0123456789abcdef")
    pair = Pair(client_context, server_context)
    pair.handshake()
    assert pair.client.getpeercert(True) is None
    for side in (pair.client, pair.server):
        with pytest.raises(ValueError, match=r"has shown no certificate|a resumed session"):
            side.get_channel_binding("tls-server-end-point")
