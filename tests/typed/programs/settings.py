"""A context from a configuration file, and what it looks like when it is printed."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import assert_type


@dataclass(frozen=True)
class Settings:
    """The TLS part of a program's configuration."""

    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    verify: ssl.VerifyMode = ssl.CERT_REQUIRED
    flags: ssl.VerifyFlags = ssl.VERIFY_DEFAULT
    options: ssl.Options = ssl.OP_NO_COMPRESSION
    alpn: list[str] = field(default_factory=list)
    keylog: Path | None = None


def context_for(settings: Settings, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> ssl.SSLContext:
    context = ssl.create_default_context(purpose, cafile=None, capath=None, cadata=None)
    context.check_hostname = settings.verify is ssl.VerifyMode.CERT_REQUIRED
    context.verify_mode = settings.verify
    context.verify_flags = settings.flags | ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_TRUSTED_FIRST
    context.minimum_version, context.maximum_version = settings.minimum, settings.maximum
    context.options = settings.options & ~ssl.OP_NO_TICKET
    context.set_alpn_protocols(settings.alpn)
    context.hostname_checks_common_name = False
    if settings.keylog:
        context.keylog_filename = str(settings.keylog)
    context.load_default_certs()
    context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    context.set_default_verify_paths()
    return context


def show(context: ssl.SSLContext) -> dict[str, object]:
    protocol = context.protocol
    assert_type(context.minimum_version, ssl.TLSVersion)
    assert_type(context.verify_mode, ssl.VerifyMode)
    assert_type(context.verify_flags, ssl.VerifyFlags)
    assert_type(context.check_hostname, bool)
    assert_type(context.hostname_checks_common_name, bool)
    assert_type(context.security_level, int)
    assert_type(context.cert_store_stats(), dict[str, int])
    assert_type(context.get_ca_certs(True), list[bytes])
    authorities = [certificate.get("subject") for certificate in context.get_ca_certs()]
    strongest = max(context.get_ciphers(), key=lambda cipher: cipher["strength_bits"])
    return {
        "protocol": ssl.get_protocol_name(protocol),
        "value": protocol.value,
        "name": context.minimum_version.name.lower(),
        "authorities": authorities,
        "strongest": strongest["name"].upper(),
        "keylog": context.keylog_filename.upper(),
    }


def wrong(context: ssl.SSLContext) -> None:
    """What a checker has to refuse."""
    context.set_alpn_protocols([1])  # type: ignore[list-item]
    context.set_ciphers(None)  # type: ignore[arg-type]
    ssl.create_default_context("client")  # type: ignore[arg-type]
    context.check_hostname = "yes"  # type: ignore[assignment]
