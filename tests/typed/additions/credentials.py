"""Certificates and keys from memory."""

import copy
from collections.abc import Iterable

from typing_extensions import assert_type

import wiretight
from wiretight import Certificate, Credential


def read(pem: str, der: list[bytes], key: bytearray, bundle: memoryview) -> list[Credential]:
    credentials = [
        Credential.from_pem(pem),
        Credential.from_pem(pem, key, password="secret"),
        Credential.from_der(der, key, password=b"secret"),
        Credential.from_der(map(memoryview, der), key, password=lambda: "secret"),
        Credential.from_pkcs12(bundle),
        Credential.from_pkcs12(bundle, password=lambda: b"secret"),
        Credential.from_objects(object(), object()),
    ]
    assert_type(credentials, list[Credential])
    assert_type(credentials[0].key_type, str)
    assert_type(credentials[0].certificates, tuple[Certificate, ...])
    assert_type(copy.copy(credentials[0]), Credential)
    assert_type(Certificate.from_pem(pem), Certificate)
    return credentials


def use(context: wiretight.SSLContext, credentials: Iterable[Credential]) -> bool:
    context.credentials = credentials
    assert_type(context.credentials, tuple[Credential, ...])
    for credential in credentials:
        context.add_credential(credential)
    return wiretight.HAS_ML_DSA


def renew(context: wiretight.SSLContext) -> float | None:
    def failed(context: wiretight.SSLContext, error: Exception) -> None:
        print(context, error)

    context.reload_interval = 60
    context.reload_error_callback = failed
    context.reload_error_callback = None
    assert_type(context.reload_cert_chain(), bool)
    assert_type(context.reload_cert_chain(force=True), bool)
    return context.reload_interval


def misuse(context: wiretight.SSLContext, credential: Credential) -> None:
    context.credentials = credential  # type: ignore[assignment]
    context.add_credential("cert.pem")  # type: ignore[arg-type]
    Credential.from_pem(3)  # type: ignore[arg-type]
    Credential.from_pkcs12("text")  # type: ignore[arg-type]
    credential.key_type = "RSA"  # type: ignore[misc]
    context.reload_interval = "60"  # type: ignore[assignment]
