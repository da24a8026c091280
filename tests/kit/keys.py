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
            b"name", self.key, self.chain[0].certificate, cas, _encryption(password)
        )

    def _encoded(self, encoding: Encoding, password: str | None, traditional: bool) -> bytes:
        form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
        return cast("bytes", self.key.private_bytes(encoding, form, _encryption(password)))


def _encryption(password: str | None) -> Any:
    return NoEncryption() if password is None else BestAvailableEncryption(password.encode())


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
