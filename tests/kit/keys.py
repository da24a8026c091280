"""Credentials of every kind of key, in every encoding, made with `cryptography`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple, cast

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from tests.kit.authority import Issued, issue
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.pair import Pair
from tests.kit.subject import tls

PASSWORD = "secret"


def _ml_dsa() -> Any:
    mldsa = pytest.importorskip(
        "cryptography.hazmat.primitives.asymmetric.mldsa", reason="cryptography has ML-DSA from 47 on"
    )
    try:
        return mldsa.MLDSA65PrivateKey.generate()
    except UnsupportedAlgorithm:
        pytest.skip("the OpenSSL of cryptography has no ML-DSA, so there is nothing to make the certificate with")


GENERATORS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ED25519": ed25519.Ed25519PrivateKey.generate,
    "ML-DSA-65": _ml_dsa,
}
# What a client that wants this kind of key says in its ClientHello.
SIGNATURE_ALGORITHMS = {
    "RSA": "rsa_pss_rsae_sha256",
    "EC": "ecdsa_secp256r1_sha256",
    "ED25519": "ed25519",
    "ML-DSA-65": "mldsa65",
}
# Those that this OpenSSL can use.
KINDS = [kind for kind in GENERATORS if kind != "ML-DSA-65" or tls.HAS_ML_DSA]
# Those that TLS 1.2 has, too.
OLDER_KINDS = [kind for kind in KINDS if kind != "ML-DSA-65"]
# Those with an encoding of their own beside PKCS#8.
TRADITIONAL = ("RSA", "EC")


class Material(NamedTuple):
    """A chain of two certificates, under a self-signed one, and the private key of the first."""

    chain: tuple[Issued, ...]
    root: Issued
    key: Any

    @property
    def ders(self) -> list[bytes]:
        return [each.der for each in self.chain]

    @property
    def pem(self) -> str:
        return "".join(each.pem for each in self.chain)

    def key_pem(self, *, password: str | None = None, traditional: bool = False) -> str:
        return self._encoded(Encoding.PEM, password, traditional).decode()

    def key_der(self, *, password: str | None = None, traditional: bool = False) -> bytes:
        return self._encoded(Encoding.DER, password, traditional)

    def pkcs12(self, *, password: str | None = PASSWORD, others: Iterable[Issued] | None = None) -> bytes:
        cas = [each.certificate for each in (self.chain[1:] if others is None else others)]
        return pkcs12.serialize_key_and_certificates(
            b"name", self.key, self.chain[0].certificate, cas, _encryption(password, PrivateFormat.PKCS12)
        )

    def _encoded(self, encoding: Encoding, password: str | None, traditional: bool) -> bytes:
        form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
        return cast("bytes", self.key.private_bytes(encoding, form, _encryption(password, form)))


def _encryption(password: str | None, form: PrivateFormat) -> Any:
    if password is None:
        return NoEncryption()
    if form is not PrivateFormat.PKCS12:
        return BestAvailableEncryption(password.encode())
    # A few rounds of hashing: nobody guesses the passwords of tests.
    return form.encryption_builder().kdf_rounds(16).build(password.encode())


@cache
def authority() -> tuple[Issued, Issued]:
    """A self-signed certificate, and one that it signed."""
    root = issue("root", ca=True)
    return root, root.issue("intermediate", ca=True)


def material(kind: str, name: str = HOST) -> Material:
    """One of each kind and name, for all tests."""
    return _material(kind, name)


@cache
def _material(kind: str, name: str) -> Material:
    return new_material(kind, name)


def new_material(kind: str = "EC", name: str = HOST) -> Material:
    """A new key and certificate, for this name and the address of the tests."""
    root, intermediate = authority()
    key = GENERATORS[kind]()
    return Material((intermediate.issue(name, names=[name, ADDRESS], key=key), intermediate), root, key)


# --- Contexts and connections with them ---------------------------------------------------------------------------


def client_context(version: Any = None, *credentials: Any) -> Any:
    """It trusts the authority of the kit's keys."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority()[0].pem)
    return configured(context, version, credentials)


def server_context(version: Any = None, *credentials: Any) -> Any:
    return configured(tls.SSLContext(tls.PROTOCOL_TLS_SERVER), version, credentials)


def configured(context: Any, version: Any, credentials: tuple[Any, ...]) -> Any:
    if version is not None:
        context.minimum_version = context.maximum_version = version
    for credential in credentials:
        context.add_credential(credential)
    return context


def credential_of(kind: str = "EC", name: str = HOST) -> Any:
    """From PEM text."""
    made = material(kind, name)
    return tls.Credential.from_pem(made.pem, made.key_pem())


def shown(client: Any, server: Any, name: str | None = HOST) -> bytes:
    """The certificate that a client gets to see."""
    pair = Pair(client, server, server_hostname=name)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    der: bytes = pair.client.getpeercert(True)
    return der
