"""Enums, flags and constants. Enums are the standard library's own; numbers are those of the OpenSSL in use.

A member that an older Python's enum lacks is still here, as a value of that enum: `OP_ENABLE_KTLS` is `Options(8)` on
3.10.
"""

from __future__ import annotations

from enum import IntEnum

from wiretight._core.base.errors import name_alerts
from wiretight._core.base.tables import CONSTANTS, FEATURES
from wiretight._standard.errors import HAS_STANDARD, standard
from wiretight._standard.typing import TYPE_CHECKING, Any

if TYPE_CHECKING or HAS_STANDARD:
    AlertDescription = standard.AlertDescription
    DefaultVerifyPaths = standard.DefaultVerifyPaths
    Options = standard.Options
    Purpose = standard.Purpose
    SSLErrorNumber = standard.SSLErrorNumber
    TLSVersion = standard.TLSVersion
    VerifyFlags = standard.VerifyFlags
    VerifyMode = standard.VerifyMode
    _SSLMethod = standard._SSLMethod
    _ASN1Object: type = standard._ASN1Object
    _TLSContentType: Any = standard._TLSContentType  # type: ignore[attr-defined]
    _TLSAlertType: Any = standard._TLSAlertType  # type: ignore[attr-defined]
    _TLSMessageType: Any = standard._TLSMessageType  # type: ignore[attr-defined]
else:
    from wiretight._tls.enums import (  # noqa: F401
        AlertDescription,
        DefaultVerifyPaths,
        Options,
        Purpose,
        SSLErrorNumber,
        TLSVersion,
        VerifyFlags,
        VerifyMode,
        _ASN1Object,
        _SSLMethod,
        _TLSAlertType,
        _TLSContentType,
        _TLSMessageType,
    )


def _option(name: str) -> Options:
    """A flag for SSLContext.options; one that this OpenSSL no longer has is 0, and setting it changes nothing."""
    return Options(CONSTANTS.get(f"SSL_OP_{name}", 0))


# Protocols
PROTOCOL_TLS_CLIENT = _SSLMethod.PROTOCOL_TLS_CLIENT
PROTOCOL_TLS_SERVER = _SSLMethod.PROTOCOL_TLS_SERVER
PROTOCOL_TLS = _SSLMethod.PROTOCOL_TLS
PROTOCOL_SSLv23 = _SSLMethod.PROTOCOL_SSLv23
PROTOCOL_TLSv1 = _SSLMethod.PROTOCOL_TLSv1
PROTOCOL_TLSv1_1 = _SSLMethod.PROTOCOL_TLSv1_1
PROTOCOL_TLSv1_2 = _SSLMethod.PROTOCOL_TLSv1_2
_PROTOCOL_NAMES: dict[int, str] = {method: method.name for method in _SSLMethod}

# Verification
CERT_NONE = VerifyMode.CERT_NONE
CERT_OPTIONAL = VerifyMode.CERT_OPTIONAL
CERT_REQUIRED = VerifyMode.CERT_REQUIRED
VERIFY_DEFAULT = VerifyFlags(0)
VERIFY_CRL_CHECK_LEAF = VerifyFlags(CONSTANTS["X509_V_FLAG_CRL_CHECK"])
VERIFY_CRL_CHECK_CHAIN = VerifyFlags(CONSTANTS["X509_V_FLAG_CRL_CHECK"] | CONSTANTS["X509_V_FLAG_CRL_CHECK_ALL"])
VERIFY_X509_STRICT = VerifyFlags(CONSTANTS["X509_V_FLAG_X509_STRICT"])
VERIFY_X509_TRUSTED_FIRST = VerifyFlags(CONSTANTS["X509_V_FLAG_TRUSTED_FIRST"])
VERIFY_ALLOW_PROXY_CERTS = VerifyFlags(CONSTANTS["X509_V_FLAG_ALLOW_PROXY_CERTS"])
VERIFY_X509_PARTIAL_CHAIN = VerifyFlags(CONSTANTS["X509_V_FLAG_PARTIAL_CHAIN"])

# Options
# As in `ssl`, without the bit that would disable a defence of TLS 1.0 against BEAST.
OP_ALL: Options = _option("ALL") & ~_option("DONT_INSERT_EMPTY_FRAGMENTS")
OP_NO_SSLv2: Options = _option("NO_SSLv2")
OP_NO_SSLv3: Options = _option("NO_SSLv3")
OP_NO_TLSv1: Options = _option("NO_TLSv1")
OP_NO_TLSv1_1: Options = _option("NO_TLSv1_1")
OP_NO_TLSv1_2: Options = _option("NO_TLSv1_2")
OP_NO_TLSv1_3: Options = _option("NO_TLSv1_3")
OP_CIPHER_SERVER_PREFERENCE: Options = _option("CIPHER_SERVER_PREFERENCE")
OP_SINGLE_DH_USE: Options = _option("SINGLE_DH_USE")
OP_SINGLE_ECDH_USE: Options = _option("SINGLE_ECDH_USE")
OP_NO_COMPRESSION: Options = _option("NO_COMPRESSION")
OP_NO_TICKET: Options = _option("NO_TICKET")
OP_NO_RENEGOTIATION: Options = _option("NO_RENEGOTIATION")
OP_ENABLE_MIDDLEBOX_COMPAT: Options = _option("ENABLE_MIDDLEBOX_COMPAT")
OP_IGNORE_UNEXPECTED_EOF: Options = _option("IGNORE_UNEXPECTED_EOF")
OP_ENABLE_KTLS: Options = _option("ENABLE_KTLS")
OP_LEGACY_SERVER_CONNECT: Options = _option("LEGACY_SERVER_CONNECT")

# Error numbers: the first argument of an SSLError that an operation on a connection raised
SSL_ERROR_EOF = SSLErrorNumber.SSL_ERROR_EOF
SSL_ERROR_INVALID_ERROR_CODE = SSLErrorNumber.SSL_ERROR_INVALID_ERROR_CODE
SSL_ERROR_SSL = SSLErrorNumber.SSL_ERROR_SSL
SSL_ERROR_SYSCALL = SSLErrorNumber.SSL_ERROR_SYSCALL
SSL_ERROR_WANT_CONNECT = SSLErrorNumber.SSL_ERROR_WANT_CONNECT
SSL_ERROR_WANT_READ = SSLErrorNumber.SSL_ERROR_WANT_READ
SSL_ERROR_WANT_WRITE = SSLErrorNumber.SSL_ERROR_WANT_WRITE
SSL_ERROR_WANT_X509_LOOKUP = SSLErrorNumber.SSL_ERROR_WANT_X509_LOOKUP
SSL_ERROR_ZERO_RETURN = SSLErrorNumber.SSL_ERROR_ZERO_RETURN

# TLS alerts
ALERT_DESCRIPTION_CLOSE_NOTIFY = AlertDescription.ALERT_DESCRIPTION_CLOSE_NOTIFY
ALERT_DESCRIPTION_UNEXPECTED_MESSAGE = AlertDescription.ALERT_DESCRIPTION_UNEXPECTED_MESSAGE
ALERT_DESCRIPTION_BAD_RECORD_MAC = AlertDescription.ALERT_DESCRIPTION_BAD_RECORD_MAC
ALERT_DESCRIPTION_RECORD_OVERFLOW = AlertDescription.ALERT_DESCRIPTION_RECORD_OVERFLOW
ALERT_DESCRIPTION_DECOMPRESSION_FAILURE = AlertDescription.ALERT_DESCRIPTION_DECOMPRESSION_FAILURE
ALERT_DESCRIPTION_HANDSHAKE_FAILURE = AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE
ALERT_DESCRIPTION_BAD_CERTIFICATE = AlertDescription.ALERT_DESCRIPTION_BAD_CERTIFICATE
ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE = AlertDescription.ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE
ALERT_DESCRIPTION_CERTIFICATE_REVOKED = AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_REVOKED
ALERT_DESCRIPTION_CERTIFICATE_EXPIRED = AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_EXPIRED
ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN = AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN
ALERT_DESCRIPTION_ILLEGAL_PARAMETER = AlertDescription.ALERT_DESCRIPTION_ILLEGAL_PARAMETER
ALERT_DESCRIPTION_UNKNOWN_CA = AlertDescription.ALERT_DESCRIPTION_UNKNOWN_CA
ALERT_DESCRIPTION_ACCESS_DENIED = AlertDescription.ALERT_DESCRIPTION_ACCESS_DENIED
ALERT_DESCRIPTION_DECODE_ERROR = AlertDescription.ALERT_DESCRIPTION_DECODE_ERROR
ALERT_DESCRIPTION_DECRYPT_ERROR = AlertDescription.ALERT_DESCRIPTION_DECRYPT_ERROR
ALERT_DESCRIPTION_PROTOCOL_VERSION = AlertDescription.ALERT_DESCRIPTION_PROTOCOL_VERSION
ALERT_DESCRIPTION_INSUFFICIENT_SECURITY = AlertDescription.ALERT_DESCRIPTION_INSUFFICIENT_SECURITY
ALERT_DESCRIPTION_INTERNAL_ERROR = AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR
ALERT_DESCRIPTION_USER_CANCELLED = AlertDescription.ALERT_DESCRIPTION_USER_CANCELLED
ALERT_DESCRIPTION_NO_RENEGOTIATION = AlertDescription.ALERT_DESCRIPTION_NO_RENEGOTIATION
ALERT_DESCRIPTION_UNSUPPORTED_EXTENSION = AlertDescription.ALERT_DESCRIPTION_UNSUPPORTED_EXTENSION
ALERT_DESCRIPTION_CERTIFICATE_UNOBTAINABLE = AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_UNOBTAINABLE
ALERT_DESCRIPTION_UNRECOGNIZED_NAME = AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
ALERT_DESCRIPTION_BAD_CERTIFICATE_STATUS_RESPONSE = AlertDescription.ALERT_DESCRIPTION_BAD_CERTIFICATE_STATUS_RESPONSE
ALERT_DESCRIPTION_BAD_CERTIFICATE_HASH_VALUE = AlertDescription.ALERT_DESCRIPTION_BAD_CERTIFICATE_HASH_VALUE
ALERT_DESCRIPTION_UNKNOWN_PSK_IDENTITY = AlertDescription.ALERT_DESCRIPTION_UNKNOWN_PSK_IDENTITY


class NewerAlert(IntEnum):
    """The alerts that AlertDescription of `ssl` has no names for: of TLS 1.3, ALPN and ECH.

    Source: RFC 8446, section 6; RFC 7301, section 3.2; RFC 9849, section 11.2.
    """

    ALERT_DESCRIPTION_MISSING_EXTENSION = 109
    ALERT_DESCRIPTION_CERTIFICATE_REQUIRED = 116
    ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL = 120
    ALERT_DESCRIPTION_ECH_REQUIRED = 121


ALERT_DESCRIPTION_MISSING_EXTENSION = NewerAlert.ALERT_DESCRIPTION_MISSING_EXTENSION
ALERT_DESCRIPTION_CERTIFICATE_REQUIRED = NewerAlert.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED
ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL = NewerAlert.ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL
ALERT_DESCRIPTION_ECH_REQUIRED = NewerAlert.ALERT_DESCRIPTION_ECH_REQUIRED

name_alerts(NewerAlert)
name_alerts(AlertDescription)  # whose own names come first, should it get these

# Features
HAS_SNI: bool = FEATURES["HAS_SNI"]
HAS_ECDH: bool = FEATURES["HAS_ECDH"]
HAS_NPN: bool = FEATURES["HAS_NPN"]
HAS_ALPN: bool = FEATURES["HAS_ALPN"]
HAS_SSLv2: bool = FEATURES["HAS_SSLv2"]
HAS_SSLv3: bool = FEATURES["HAS_SSLv3"]
HAS_TLSv1: bool = FEATURES["HAS_TLSv1"]
HAS_TLSv1_1: bool = FEATURES["HAS_TLSv1_1"]
HAS_TLSv1_2: bool = FEATURES["HAS_TLSv1_2"]
HAS_TLSv1_3: bool = FEATURES["HAS_TLSv1_3"]
HAS_NEVER_CHECK_COMMON_NAME: bool = FEATURES["HAS_NEVER_CHECK_COMMON_NAME"]
HAS_PSK: bool = FEATURES["HAS_PSK"]
HAS_PSK_TLS13: bool = FEATURES["HAS_PSK_TLS13"]
HAS_PHA: bool = FEATURES["HAS_PHA"]
HAS_ECH: bool = FEATURES["HAS_ECH"]  # Encrypted ClientHello, RFC 9849
HAS_CERT_COMPRESSION: bool = FEATURES["HAS_CERT_COMPRESSION"]  # RFC 8879
HAS_ML_DSA: bool = FEATURES["HAS_ML_DSA"]  # keys of FIPS 204 in certificates

CHANNEL_BINDING_TYPES: list[str] = ["tls-unique", "tls-exporter", "tls-server-end-point"]
HOSTFLAG_NEVER_CHECK_SUBJECT = CONSTANTS["X509_CHECK_FLAG_NEVER_CHECK_SUBJECT"]

# Programs pass it to set_ciphers() to restore the interpreter's default.
_DEFAULT_CIPHERS: str = getattr(standard, "_DEFAULT_CIPHERS", "DEFAULT")
_RESTRICTED_SERVER_CIPHERS: str = getattr(standard, "_RESTRICTED_SERVER_CIPHERS", "DEFAULT")


def get_protocol_name(protocol_code: int) -> str:
    """The name of a PROTOCOL_* number, or "<unknown>". Since 0.1. Source: `ssl.get_protocol_name`."""
    return _PROTOCOL_NAMES.get(protocol_code, "<unknown>")
