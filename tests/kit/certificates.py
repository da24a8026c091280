"""Certificates created by trustme, once per session, and contexts for both roles with them."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.kit.authority import Crl, Issued
from tests.kit.subject import tls

HOST = "localhost"
ADDRESS = "127.0.0.1"
ELSEWHERE = "elsewhere.example"


class Credentials(NamedTuple):
    """PEM files: a certificate chain, leaf first, and its private key."""

    chain: Path
    key: Path


class Certificates:
    """A CA, an untrusted CA, and the certificates that they signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = ca = trustme.CA()
        other_ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.other_ca_file = folder / "other_ca.pem"
        if self.ca_file.exists():
            raise FileExistsError(f"{folder} has certificates already, of the same names, which other tests use")
        ca.cert_pem.write_to_path(self.ca_file)
        other_ca.cert_pem.write_to_path(self.other_ca_file)

        yesterday = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)
        self.server = self._write("server", ca.issue_cert(HOST, ADDRESS, "::1"))
        self.elsewhere = self._write("elsewhere", ca.issue_cert(ELSEWHERE))
        self.one_letter = self._write("one_letter", ca.issue_cert("x"))
        # More than OpenSSL's list of names has room for at first.
        self.many_names = self._write("many_names", ca.issue_cert(*(f"{i}.example" for i in range(20))))
        self.expired = self._write("expired", ca.issue_cert(HOST, ADDRESS, not_after=yesterday))
        self.client = self._write("client", ca.issue_cert("client@example.org", common_name="client"))
        self.server_of_other_ca = self._write("server_of_other_ca", other_ca.issue_cert(HOST, ADDRESS))
        self.client_of_other_ca = self._write("client_of_other_ca", other_ca.issue_cert("client@example.org"))

    def crl(self, *revoked: Credentials) -> Crl:
        """The CA's list of revoked certificates, good for a day."""
        key = load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        authority = Issued(x509.load_pem_x509_certificate(self.ca.cert_pem.bytes()), key, None)
        leaves = [x509.load_pem_x509_certificate(each.chain.read_bytes()) for each in revoked]
        return authority.revoke(*(leaf.serial_number for leaf in leaves))

    def _write(self, name: str, leaf: trustme.LeafCert) -> Credentials:
        credentials = Credentials(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        for at, certificate in enumerate(leaf.cert_chain_pems):
            certificate.write_to_path(credentials.chain, append=at > 0)
        leaf.private_key_pem.write_to_path(credentials.key)
        return credentials

    @cached_property
    def server_with_rsa(self) -> Credentials:
        """As `server`, whose key is an elliptic curve's."""
        return self._write("server_with_rsa", self.ca.issue_cert(HOST, ADDRESS, key_type=trustme.KeyType.RSA))

    @cached_property
    def dh_file(self) -> Path:
        """Diffie-Hellman parameters of 2,048 bits."""
        path = self.folder / "dh.pem"
        group = ("-algorithm", "DH", "-pkeyopt", "group:ffdhe2048")
        subprocess.run(["openssl", "genpkey", "-genparam", *group, "-out", path], check=True)
        return path

    def server_context(
        self,
        version: Any = None,
        *,
        credentials: Credentials | None = None,
        client_ca: Path | None = None,
        alpn: Sequence[str] = (),
        module: ModuleType = tls,
    ) -> Any:
        """A context for a server, of one TLS version or of any. With `client_ca` it requires a client certificate."""
        context = module.SSLContext(module.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(credentials or self.server))
        if client_ca is not None:
            context.verify_mode = module.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        return _restricted(context, version, alpn)

    def client_context(
        self,
        version: Any = None,
        *,
        ca_file: Path | None = None,
        credentials: Credentials | None = None,
        alpn: Sequence[str] = (),
        module: ModuleType = tls,
    ) -> Any:
        """A context for a client, of one TLS version or of any. It verifies the server's chain and its name."""
        context = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(ca_file or self.ca_file)
        if credentials is not None:
            context.load_cert_chain(*credentials)
        return _restricted(context, version, alpn)


def _restricted(context: Any, version: Any, alpn: Sequence[str]) -> Any:
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
