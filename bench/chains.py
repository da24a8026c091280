"""The chains of a handshake whose ends are measured apart: as public CAs have them, and the shortest there is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from endpoints import NAME

if TYPE_CHECKING:
    from pathlib import Path

# The keys, the leaf's first; the last is that of the root, which is trusted and not sent.
CHAINS = {
    "p256": ("P-256", "P-256"),
    "p384": ("P-256", "P-384", "P-384"),  # Let's Encrypt's ECDSA chain
    "rsa": ("RSA 2048", "RSA 2048", "RSA 4096"),
}


def write_chains(folder: Path) -> None:
    """For each chain a folder with its name: ca.pem, chain.pem and key.pem."""
    for name, kinds in CHAINS.items():
        (folder / name).mkdir()
        _write(folder / name, [_key(kind) for kind in kinds])


def _write(folder: Path, keys: list[Any]) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    names = [NAME, *(f"CA {number}" for number in range(1, len(keys)))]
    issuers = [*range(1, len(keys)), len(keys) - 1]
    chain = [_certificate(names[i], keys[i], names[issuer], keys[issuer]) for i, issuer in enumerate(issuers)]
    pems = [certificate.public_bytes(Encoding.PEM) for certificate in chain]
    (folder / "chain.pem").write_bytes(b"".join(pems[:-1]))
    (folder / "ca.pem").write_bytes(pems[-1])
    key = keys[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key)


def _key(kind: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("RSA ")))
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[kind])


def _certificate(name: str, key: Any, issuer: str, issuer_key: Any) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = dt.datetime.now(dt.timezone.utc)
    is_leaf = name == NAME
    extensions = [
        (x509.BasicConstraints(ca=not is_leaf, path_length=None), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
        *([(x509.SubjectAlternativeName([x509.DNSName(NAME)]), False)] if is_leaf else []),
    ]
    builder = x509.CertificateBuilder(
        named(issuer), named(name), key.public_key(), x509.random_serial_number(),
        now - dt.timedelta(days=1), now + dt.timedelta(days=90),
    )  # fmt: skip
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    is_p384 = getattr(issuer_key, "key_size", 0) == 384
    return builder.sign(issuer_key, hashes.SHA384() if is_p384 else hashes.SHA256())
