"""Whom a context trusts, and conditions of a program's own."""

from datetime import datetime

from typing_extensions import assert_type

import wiretight
from wiretight import Certificate, SSLSocket, TrustStore, Verification, VerifyCode, VerifyError


def stores(pem: str, der: memoryview, crl: bytes, one: Certificate, foreign: object) -> TrustStore:
    stores = [
        TrustStore(),
        TrustStore(pem),
        TrustStore(certificates=der, crls=crl),
        TrustStore([pem, der, one, foreign], [crl]),
        TrustStore(one),
        TrustStore.system(),
        TrustStore.from_file("ca.pem"),
        TrustStore.from_directory(b"/etc/ssl/certs"),
    ]
    assert_type(stores, list[TrustStore])
    assert_type(stores[0].add_certificates(pem), int)
    assert_type(stores[0].add_crls([crl]), int)
    assert_type(stores[0].certificates, list[Certificate])
    assert_type(stores[0].fingerprint, bytes)
    return stores[0]


def use(context: wiretight.SSLContext, store: TrustStore) -> bytes | None:
    context.trust_store = store
    assert_type(context.trust_store, TrustStore)
    assert_type(context.load_crls("ca.crl"), int)
    context.load_crls(data=b"")
    context.verify_callback = judge
    context.verify_callback = None
    context.policy_id = b"2026-10"
    assert_type(context.remember_verified_chains, bool)
    context.remember_verified_chains = False
    wiretight.forget_verified_chains()
    return context.policy_id


def judge(connection: SSLSocket, verification: Verification) -> None:
    assert_type(verification.errors, tuple[VerifyError, ...])
    assert_type(verification.chain, list[Certificate])
    assert_type(verification.presented, list[Certificate])
    assert_type(verification.server_hostname, str | None)
    if connection.server_side:
        verification.refuse("no", VerifyCode.CERT_REVOKED)
    for error in verification.errors:
        assert_type(error.code, int)
        assert_type(error.certificate, Certificate | None)
    verification.tolerate(VerifyCode.CERT_HAS_EXPIRED)


def describe(certificate: Certificate) -> list[object]:
    assert_type(certificate.not_after, datetime)
    assert_type(certificate.serial_number, int)
    assert_type(Certificate.from_pem(certificate.pem()), Certificate)
    assert_type(Certificate.from_der(certificate.der()), Certificate)
    assert_type(certificate.fingerprint("sha1"), bytes)
    assert_type(certificate.key_type, str | None)
    assert_type(certificate.key_bits, int | None)
    assert_type(certificate.signature_algorithm, str)
    return [certificate.subject, certificate.issuer, certificate.alternative_names, certificate.spki_sha256]


def misuse(context: wiretight.SSLContext, certificate: Certificate) -> None:
    context.trust_store = "ca.pem"  # type: ignore[assignment]
    context.verify_callback = 3  # type: ignore[assignment]
    context.policy_id = "text"  # type: ignore[assignment]
    context.load_crls(data=3)  # type: ignore[arg-type]
    certificate.serial_number = 3  # type: ignore[misc]
    Certificate.from_der("text")  # type: ignore[arg-type]
