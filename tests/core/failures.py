"""Handshakes that fail, and what the metrics of both ends count then."""

from __future__ import annotations

import ssl as standard
from collections.abc import Callable
from typing import Any

from wiretight import HandshakeFailure

TLS12, TLS13 = standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3

Shown = tuple[str, str | None, str | None, str | None]


def shown(failure: HandshakeFailure) -> Shown:
    return failure.reason, failure.alert_name, failure.alert_sender, failure.verify_code and failure.verify_code.name


def raises(*_: object) -> None:
    raise KeyError("from the callback")


def changed(context: Any, change: Callable[[Any], object]) -> Any:
    change(context)
    return context


# The contexts of both ends, made to measure, and what each of them counts; "" is what the alert is on this version.
FAILURES: dict[str, tuple[Callable[..., tuple[Any, Any]], tuple[Any, ...], tuple[Any, ...]]] = {
    "expired": (
        lambda files, version: (
            files.client_context(version), files.server_context(version, credentials=files.expired)),
        ("certificate", "certificate_expired", "we", "CERT_HAS_EXPIRED"),
        ("refused", "certificate_expired", "peer", None),
    ),
    "other-name": (
        lambda files, version: (
            files.client_context(version), files.server_context(version, credentials=files.elsewhere)),
        ("certificate", "bad_certificate", "we", "HOSTNAME_MISMATCH"),
        ("refused", "bad_certificate", "peer", None),
    ),
    "other-ca": (
        lambda files, version: (
            files.client_context(version, ca_file=files.other_ca_file), files.server_context(version)),
        ("certificate", "unknown_ca", "we", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
        ("refused", "unknown_ca", "peer", None),
    ),
    "version": (
        lambda files, version: (
            files.client_context(version), files.server_context(TLS13 if version == TLS12 else TLS12)),
        ("refused", "protocol_version", "peer", None),
        ("version", "protocol_version", "we", None),
    ),
    "cipher": (
        lambda files, version: tuple(
            changed(changed(context, lambda it, c=c: it.set_ciphers(c)), lambda it, s=s: it.set_ciphersuites(s))
            for context, c, s in (
                (files.client_context(version), "ECDHE+CHACHA20", "TLS_CHACHA20_POLY1305_SHA256"),
                (files.server_context(version), "ECDHE+AESGCM", "TLS_AES_128_GCM_SHA256"))),
        ("refused", "handshake_failure", "peer", None),
        ("cipher", "handshake_failure", "we", None),
    ),
    "verify_callback": (
        lambda files, version: (
            changed(files.client_context(version), lambda it: setattr(it, "verify_callback", raises)),
            files.server_context(version)),
        ("callback", ..., "we", ...),
        ("refused", ..., "peer", None),
    ),
    "sni_callback": (
        lambda files, version: (
            files.client_context(version),
            changed(files.server_context(version), lambda it: setattr(it, "sni_callback", lambda *_: 112))),
        ("refused", "unrecognized_name", "peer", None),
        ("callback", "unrecognized_name", "we", None),
    ),
}  # fmt: skip


def is_expected(failure: HandshakeFailure, expected: tuple[Any, ...]) -> bool:
    return all(wanted in (..., seen) for seen, wanted in zip(shown(failure), expected, strict=True))
