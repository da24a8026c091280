"""Ciphers, groups and signature algorithms: what a context allows is what its connections use."""

from __future__ import annotations

import ssl as standard
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.kit.authority import issue
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.subject import tls
from wiretight._core.base.tables import FEATURES

# `ssl` has it from 3.15 on.
MODULES = [tls, standard] if hasattr(standard.SSLContext, "set_groups") else [tls]
BOTH = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
TAKES_NO_OTHER_KIND = ["set_groups", "set_ciphersuites", "set_client_sigalgs", "set_server_sigalgs"]


def client_of(module: ModuleType) -> Any:
    return module.SSLContext(module.PROTOCOL_TLS_CLIENT)


# --- Ciphers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"])
def test_a_cipher_suite_of_tls_1_3_is_chosen(certificates: Certificates, suite: str) -> None:
    client, server = certificates.client_context(tls.TLSVersion.TLSv1_3), certificates.server_context()
    client.set_ciphersuites(suite)
    pair = Pair(client, server)
    pair.handshake()
    assert pair.server.cipher()[0] == suite
    assert suite in {cipher["name"] for cipher in client.get_ciphers()}


@BOTH
@pytest.mark.parametrize("wrong", ["nonsense", "AES128-SHA", "é"])
def test_unknown_cipher_suites_are_rejected_and_change_nothing(module: ModuleType, wrong: str) -> None:
    context = client_of(module)
    before = context.get_ciphers()
    with pytest.raises(module.SSLError, match="No cipher suite can be selected") as caught:
        context.set_ciphersuites(wrong)
    assert caught.value.errno == 0
    assert context.get_ciphers() == before


@BOTH
def test_an_empty_list_of_cipher_suites_is_accepted(module: ModuleType) -> None:
    context = client_of(module)
    context.set_ciphersuites("")
    assert not [cipher for cipher in context.get_ciphers() if cipher["name"].startswith("TLS_")]


LATE, EARLY = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"


def used(context: Any) -> Any:
    """The context, after it has created a connection."""
    context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_side=True)
    return context


@pytest.mark.parametrize("first_is_late", [False, True])
@pytest.mark.parametrize("second_is_late", [False, True])
def test_a_callback_that_switches_the_context_switches_its_ciphers(
    certificates: Certificates, first_is_late: bool, second_is_late: bool
) -> None:
    first, second = (certificates.server_context(tls.TLSVersion.TLSv1_2) for _ in range(2))
    first.set_ciphers(f"{EARLY}:{LATE}")
    second.set_ciphers(EARLY)
    if first_is_late:
        used(first).set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    if second_is_late:
        used(second).set_ciphers(LATE)

    def switch(connection: Any, name: str | None, context: Any) -> None:
        connection.context = second

    first.sni_callback = switch
    pair = Pair(certificates.client_context(tls.TLSVersion.TLSv1_2), first)
    pair.handshake()
    assert pair.client.cipher()[0] == (LATE if second_is_late else EARLY)


# --- Groups ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["secp384r1", "x448", "secp521r1"])
def test_the_group_of_the_key_exchange_is_chosen(certificates: Certificates, version: Any, group: str) -> None:
    client, server = certificates.client_context(version), certificates.server_context()
    client.set_groups(f"{group}:secp256r1")  # which TLS 1.2 needs for the server's certificate
    server.set_groups(group)
    pair = Pair(client, server)
    pair.handshake()
    assert pair.client.group() == pair.server.group() == group


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.BrainpoolP384R1()], ids=lambda curve: curve.name)
def test_a_server_negotiates_a_version_that_its_certificate_serves_for(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    """TLS 1.3 has no signature algorithm for some curves. OpenSSL then takes TLS 1.2, unless there is a callback."""
    own = issue(HOST, names=[HOST], ca=True, key=ec.generate_private_key(curve))
    client, server = client_of(tls), tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*own.write(tmp_path, "server"))
    client.load_verify_locations(cadata=own.pem)
    client.set_groups(f"X25519:{curve.name}")
    pair = Pair(client, server)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    if curve.name == "secp256k1":
        assert pair.client.version() == pair.server.version() == "TLSv1.2"


def test_a_server_without_a_certificate_has_no_cipher_to_share(certificates: Certificates) -> None:
    """Also with a client of TLS 1.3, as with `ssl`."""
    pair = Pair(certificates.client_context(), tls.SSLContext(tls.PROTOCOL_TLS_SERVER))
    with pytest.raises(tls.SSLError) as caught:
        pair.handshake()
    assert caught.value.reason == "NO_SHARED_CIPHER"


def test_without_a_common_group_there_is_no_connection(certificates: Certificates, version: Any) -> None:
    client, server = certificates.client_context(version), certificates.server_context()
    client.set_groups("x448")
    server.set_groups("x25519")
    with pytest.raises(tls.SSLError):
        Pair(client, server).handshake()


@BOTH
@pytest.mark.parametrize("wrong", ["nonsense", "x25519:nonsense", "é"])
def test_unknown_groups_are_rejected(module: ModuleType, wrong: str) -> None:
    with pytest.raises(module.SSLError, match="unrecognized group") as caught:
        client_of(module).set_groups(wrong)
    assert caught.value.errno == 0
    assert caught.value.library is caught.value.reason is None


@pytest.mark.skipif(not FEATURES["HAS_IMPLEMENTED_GROUPS"], reason="OpenSSL can list its groups from 3.5 on")
def test_groups_are_listed_and_every_one_can_be_set() -> None:
    names = client_of(tls).get_groups()
    assert {"x25519", "secp256r1", "X25519MLKEM768"} <= set(names)
    with_aliases = client_of(tls).get_groups(include_aliases=True)
    assert set(names) | {"P-256"} <= set(with_aliases)
    for name in with_aliases:
        client_of(tls).set_groups(name)


@pytest.mark.skipif(FEATURES["HAS_IMPLEMENTED_GROUPS"], reason="for an OpenSSL older than 3.5")
def test_listing_groups_on_an_older_openssl_names_the_required_version() -> None:
    with pytest.raises(NotImplementedError, match=r"OpenSSL 3\.5"):
        client_of(tls).get_groups()
    with pytest.raises(TypeError):
        client_of(tls).get_groups(True)


# --- Signature algorithms --------------------------------------------------------------------------------------------
# The certificates of the kit have keys for ecdsa_secp256r1_sha256.


@pytest.mark.parametrize("role", ["client", "server"])
def test_the_server_signs_with_what_is_allowed(certificates: Certificates, version: Any, role: str) -> None:
    contexts = {"client": certificates.client_context(version), "server": certificates.server_context()}
    contexts[role].set_server_sigalgs("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256")
    Pair(contexts["client"], contexts["server"]).handshake()
    contexts[role].set_server_sigalgs("rsa_pss_rsae_sha256")
    with pytest.raises(tls.SSLError):
        Pair(contexts["client"], contexts["server"]).handshake()


def test_the_client_signs_with_what_is_allowed(certificates: Certificates, version: Any) -> None:
    client = certificates.client_context(version, credentials=certificates.client)
    server = certificates.server_context(client_ca=certificates.ca_file)
    server.set_client_sigalgs("ecdsa_secp256r1_sha256")
    pair = Pair(client, server)
    pair.handshake()
    assert pair.server.getpeercert()
    server.set_client_sigalgs("rsa_pss_rsae_sha256")
    assert Pair(client, server).until_error().side in {"client", "server"}


@BOTH
@pytest.mark.parametrize("setter", ["set_client_sigalgs", "set_server_sigalgs"])
@pytest.mark.parametrize("wrong", ["", "nonsense", "rsa_pss_rsae_sha256:nonsense", "é"])
def test_unknown_signature_algorithms_are_rejected(module: ModuleType, setter: str, wrong: str) -> None:
    with pytest.raises(module.SSLError, match="unrecognized signature algorithm") as caught:
        getattr(client_of(module), setter)(wrong)
    assert caught.value.errno == 0


@BOTH
@pytest.mark.parametrize("setter", TAKES_NO_OTHER_KIND)
def test_names_are_text(module: ModuleType, setter: str) -> None:
    for wrong in (None, 3, b"x25519"):
        with pytest.raises(TypeError):
            getattr(client_of(module), setter)(wrong)
    with pytest.raises(ValueError, match="embedded null character"):
        getattr(client_of(module), setter)("x25519\0")


@pytest.mark.skipif(not FEATURES["HAS_BUILTIN_SIGALGS"], reason="OpenSSL can list its signature algorithms from 3.4 on")
def test_signature_algorithms_are_listed_and_can_be_set() -> None:
    names = tls.get_sigalgs()
    assert {"rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256", "ed25519"} <= set(names)
    client_of(tls).set_client_sigalgs(":".join(names))
    if hasattr(standard, "get_sigalgs") and standard.OPENSSL_VERSION == tls.OPENSSL_VERSION:
        assert names == standard.get_sigalgs()


@pytest.mark.skipif(FEATURES["HAS_BUILTIN_SIGALGS"], reason="for an OpenSSL older than 3.4")
def test_listing_signature_algorithms_on_an_older_openssl_names_the_required_version() -> None:
    with pytest.raises(NotImplementedError, match=r"OpenSSL 3\.4"):
        tls.get_sigalgs()


@pytest.mark.skipif(not FEATURES["HAS_SIGALG_NAMES"], reason="OpenSSL tells them from 3.5 on")
@pytest.mark.parametrize("mutual", [False, True])
def test_a_connection_reports_the_signature_algorithms(certificates: Certificates, version: Any, mutual: bool) -> None:
    pair = Pair(
        certificates.client_context(version, credentials=certificates.client),
        certificates.server_context(client_ca=certificates.ca_file if mutual else None),
    )
    assert pair.client.server_sigalg() is pair.server.client_sigalg() is None
    pair.handshake()
    assert pair.client.server_sigalg() == pair.server.server_sigalg() == "ecdsa_secp256r1_sha256"
    expected = "ecdsa_secp256r1_sha256" if mutual else None
    assert pair.client.client_sigalg() == pair.server.client_sigalg() == expected


@pytest.mark.skipif(FEATURES["HAS_SIGALG_NAMES"], reason="for an OpenSSL older than 3.5")
def test_signature_algorithms_on_an_older_openssl_name_the_required_version(pair: Pair) -> None:
    for side in (pair.client, pair.server):
        for name in ("client_sigalg", "server_sigalg"):
            with pytest.raises(NotImplementedError, match=r"OpenSSL 3\.5"):
                getattr(side, name)()
