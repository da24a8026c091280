"""Credentials from memory and other implementations: their clients choose among keys, and their files are read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.face.test_credentials import WAYS
from tests.interop.peers.gnutls import GnuTLS
from tests.interop.peers.haproxy import HAProxy
from tests.interop.peers.nginx import Nginx
from tests.interop.peers.openssl import OpenSSL
from tests.interop.peers.peer import Peer, output
from tests.interop.peers.terms import Terms, lines_of_digits
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.keys import (
    GENERATORS,
    KINDS,
    OLDER_KINDS,
    PASSWORD,
    Material,
    authority,
    client_context,
    credential_of,
    material,
    server_context,
    shown,
)
from tests.kit.programs import program
from tests.kit.servers import Server
from tests.kit.sockets import connect
from wiretight import Credential

TLS12 = wiretight.TLSVersion.TLSv1_2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that other programs need: of the root, and of the material of each kind of key."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "root.pem").write_text(authority()[0].pem)
    for kind in OLDER_KINDS:
        made = material(kind)
        (folder / f"{kind}.pem").write_text(made.pem)
        (folder / f"{kind}.leaf.pem").write_text(made.chain[0].pem)
        (folder / f"{kind}.intermediate.pem").write_text(made.chain[1].pem)
        (folder / f"{kind}.key").write_text(made.key_pem())
    return folder


@pytest.fixture
def server(version: Any) -> Iterator[Server]:
    """With a credential of every kind of key."""
    with Server(server_context(version, *map(credential_of, KINDS)), errors_ok=True) as server:
        yield server


def skip_what_tls_has_not(kind: str, version: Any) -> None:
    if version == TLS12 and kind not in OLDER_KINDS:
        pytest.skip("TLS 1.2 has no ML-DSA")


# --- Several keys in one context --------------------------------------------------------------------------------------

OPENSSLS_NAMES = {
    "RSA": "RSA-PSS+SHA256", "EC": "ECDSA+SHA256", "ED25519": "ed25519", "ML-DSA-65": "mldsa65",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_s_client_gets_the_certificate_for_its_signature_algorithms(
    server: Server, version: Any, kind: str, folder: Path
) -> None:
    skip_what_tls_has_not(kind, version)
    openssl = program("openssl", "openssl")
    if kind == "ML-DSA-65" and kind not in output(openssl, "list", "-public-key-algorithms"):
        pytest.skip("the openssl in PATH has no ML-DSA: it came with 3.5")
    text = output(
        *(openssl, "s_client", "-connect", f"{ADDRESS}:{server.port}", "-servername", HOST),
        *("-CAfile", folder / "root.pem", "-verify_return_error", "-verify_hostname", HOST),
        *("-sigalgs", OPENSSLS_NAMES[kind]),
    )
    assert "Verification: OK" in text
    assert material(kind).chain[0].pem in text


GNUTLS_NAMES = {"RSA": "RSA-PSS-RSAE-SHA256", "EC": "ECDSA-SECP256R1-SHA256", "ED25519": "EDDSA-ED25519"}


@pytest.mark.parametrize("kind", list(GNUTLS_NAMES))
def test_gnutls_gets_the_certificate_for_its_signature_algorithms(
    server: Server, version: Any, kind: str, folder: Path
) -> None:
    gnutls = program("gnutls-cli", "gnutls-bin")
    # The chain is signed by ECDSA, in any case.
    wanted = f"NORMAL:-SIGN-ALL:+SIGN-{GNUTLS_NAMES[kind]}:+SIGN-ECDSA-SHA256"
    priority = wanted if kind == "EC" else wanted.replace(":+SIGN-ECDSA-SHA256", "")
    text = output(
        *(gnutls, "--port", server.port, "--x509cafile", folder / "root.pem", "--print-cert"),
        *("--priority", priority, "--sni-hostname", HOST, "--verify-hostname", HOST, ADDRESS),
    )
    assert "- Status: The certificate is trusted." in text, text
    assert material(kind).chain[0].pem in text


# --- A client's pair --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["PEM", "DER, encrypted", "PKCS#12", "objects of cryptography"])
@pytest.mark.parametrize("peer", [OpenSSL(), GnuTLS(), Nginx(), HAProxy()], ids=lambda peer: peer.name)
def test_a_server_that_requires_a_certificate_gets_it(
    peer: Peer, way: str, version: Any, certificates: Certificates, tmp_path: Path
) -> None:
    if missing := peer.missing():
        pytest.skip(f"{missing}, or scripts/interop")
    terms = Terms(with_roots(certificates, tmp_path), version, tmp_path, lines_of_digits(1), demands_certificate=True)
    client = certificates.client_context(version)
    client.add_credential(WAYS[way](of_the_root()))
    with (
        peer.serve(terms) as serving,
        connect(client, (ADDRESS, serving.port)) as connection,
    ):
        assert serving.ask(connection, terms) == terms.data


@cache
def of_the_root() -> Material:
    """Without a certificate in between: these servers verify chains of two."""
    root, key = authority()[0], GENERATORS["EC"]()
    return Material((root.issue("client.example", names=["client.example"], key=key),), root, key)


def with_roots(certificates: Certificates, folder: Path) -> Any:
    """The kit's certificates, for a server that also trusts the root of the kit's keys."""
    roots = folder / "roots.pem"
    roots.write_text(certificates.ca_file.read_text() + authority()[0].pem)

    class Both:
        ca_file = roots
        server = certificates.server

    return Both


# --- PKCS#12 of others ------------------------------------------------------------------------------------------------

OPENSSLS_BUNDLES: dict[str, tuple[str, ...]] = {
    "as it is by default": (),
    "with 3DES, as old versions had it": ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
    "with AES-128": ("-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"),
    "with certificates in the clear": ("-certpbe", "NONE"),
    "with a hundred thousand rounds": ("-iter", "100000"),
    "with a name": ("-name", "für den Server"),
    "with the CA": ("-chain", "-untrusted", "{folder}/{kind}.intermediate.pem"),
}


def bundle_of_openssl(folder: Path, kind: str, *options: str, password: str = PASSWORD) -> bytes:
    done = subprocess.run(
        [
            *(program("openssl", "openssl"), "pkcs12", "-export", "-passout", f"pass:{password}"),
            *("-in", str(folder / f"{kind}.leaf.pem"), "-inkey", str(folder / f"{kind}.key")),
            *("-certfile", str(folder / f"{kind}.intermediate.pem"), "-CAfile", str(folder / "root.pem")),
            *(option.format(folder=folder, kind=kind) for option in options),
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this openssl cannot: {done.stderr.decode().splitlines()[-1]}")
    return done.stdout


@pytest.mark.parametrize("name", list(OPENSSLS_BUNDLES))
@pytest.mark.parametrize("kind", OLDER_KINDS)
def test_pkcs12_of_openssl_is_read(folder: Path, kind: str, name: str) -> None:
    credential = Credential.from_pkcs12(bundle_of_openssl(folder, kind, *OPENSSLS_BUNDLES[name]), password=PASSWORD)
    assert_is(credential, material(kind))


def test_pkcs12_of_openssl_with_an_empty_password_is_read(folder: Path) -> None:
    assert_is(Credential.from_pkcs12(bundle_of_openssl(folder, "EC", password="")), material("EC"))


@pytest.mark.parametrize("password", [None, ""])
def test_pkcs12_of_openssl_without_a_mac_is_read(folder: Path, password: str | None) -> None:
    data = bundle_of_openssl(folder, "EC", "-nomac", "-keypbe", "NONE", "-certpbe", "NONE")
    assert_is(Credential.from_pkcs12(data, password=password), material("EC"))


@pytest.mark.parametrize("kind", OLDER_KINDS)
def test_pkcs12_with_rc2_needs_the_legacy_provider_and_says_what_to_do(folder: Path, kind: str) -> None:
    data = bundle_of_openssl(folder, kind, "-legacy")
    with pytest.raises(wiretight.SSLError, match=r"RC2.*legacy provider.*openssl pkcs12 -legacy"):
        Credential.from_pkcs12(data, password=PASSWORD)
    opened = subprocess.run(
        [program("openssl", "openssl"), "pkcs12", "-legacy", "-nodes", "-passin", f"pass:{PASSWORD}"],
        input=data, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert_is(Credential.from_pem(opened), material(kind))


@pytest.mark.parametrize("cipher", ["aes-256", "aes-128", "3des", "3des-pkcs12", "arcfour", "rc2-40"])
@pytest.mark.parametrize("kind", OLDER_KINDS)
def test_pkcs12_of_certtool_is_read(folder: Path, kind: str, cipher: str) -> None:
    data = bundle_of_certtool(folder, kind, "--password", PASSWORD, "--pkcs-cipher", cipher)
    if cipher in {"arcfour", "rc2-40"}:
        with pytest.raises(wiretight.SSLError, match=r"RC2.*legacy provider"):
            Credential.from_pkcs12(data, password=PASSWORD)
        return
    assert_is(Credential.from_pkcs12(data, password=PASSWORD), material(kind))


@pytest.mark.parametrize("option", ["--empty-password", "--null-password"])
@pytest.mark.parametrize("password", [None, ""])
def test_pkcs12_of_certtool_without_a_password_is_read(folder: Path, option: str, password: str | None) -> None:
    assert_is(Credential.from_pkcs12(bundle_of_certtool(folder, "EC", option), password=password), material("EC"))


def bundle_of_certtool(folder: Path, kind: str, *options: str) -> bytes:
    done = subprocess.run(
        [
            *(program("certtool", "gnutls-bin"), "--to-p12", "--outder", "--p12-name", "name"),
            *("--load-certificate", str(folder / f"{kind}.leaf.pem"), "--load-privkey", str(folder / f"{kind}.key")),
            *("--load-ca-certificate", str(folder / f"{kind}.intermediate.pem")),
            *options,
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode < 0:
        pytest.skip(f"certtool itself crashed, by signal {-done.returncode}: there is nothing to read")
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def assert_is(credential: Credential, made: Material) -> None:
    assert credential.key_type in OLDER_KINDS
    assert [each.der() for each in credential.certificates][:2] == made.ders
    assert shown(client_context(), server_context(None, credential)) == made.ders[0]


# --- Keys of others ---------------------------------------------------------------------------------------------------

Convert = tuple[str, ...]
KEYS: dict[str, tuple[str, Convert]] = {
    "PKCS#8": ("PEM", ("pkcs8", "-topk8", "-nocrypt", "-in")),
    "PKCS#8, encrypted": ("PEM", ("pkcs8", "-topk8", "-passout", f"pass:{PASSWORD}", "-in")),
    "PKCS#8, encrypted with scrypt": ("PEM", ("pkcs8", "-topk8", "-scrypt", "-passout", f"pass:{PASSWORD}", "-in")),
    "PKCS#8, encrypted with 3DES": (
        "PEM", ("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", f"pass:{PASSWORD}", "-in")),
    "PKCS#8 in DER": ("DER", ("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in")),
    "PKCS#8 in DER, encrypted": (
        "DER", ("pkcs8", "-topk8", "-outform", "DER", "-passout", f"pass:{PASSWORD}", "-in")),
    "RSA": ("PEM", ("rsa", "-traditional", "-in")),
    "RSA, encrypted": ("PEM", ("rsa", "-traditional", "-aes256", "-passout", f"pass:{PASSWORD}", "-in")),
    "RSA in DER": ("DER", ("rsa", "-traditional", "-outform", "DER", "-in")),
    "EC": ("PEM", ("ec", "-in")),
    "EC, encrypted": ("PEM", ("ec", "-aes128", "-passout", f"pass:{PASSWORD}", "-in")),
    "EC in DER": ("DER", ("ec", "-outform", "DER", "-in")),
}  # fmt: skip


@pytest.mark.parametrize("name", list(KEYS))
def test_keys_of_openssl_are_read(folder: Path, name: str) -> None:
    form, command = KEYS[name]
    kind = "RSA" if name.startswith("RSA") else "EC"
    key = subprocess.run(
        [program("openssl", "openssl"), *command, str(folder / f"{kind}.key")], capture_output=True, check=True
    ).stdout
    made = material(kind)
    read: Callable[[], Credential] = {
        "PEM": lambda: Credential.from_pem(made.pem, key, password=PASSWORD),
        "DER": lambda: Credential.from_der(made.ders, key, password=PASSWORD),
    }[form]
    assert_is(read(), made)
