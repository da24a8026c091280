"""TLS sockets: everything that the standard library's `ssl` offers, on an engine of its own.

Use it with `import wiretight as ssl`.
"""

# fmt: off
# ruff: noqa: F401, I001, RUF022

from wiretight._standard.typing import TYPE_CHECKING

# Before the native modules, which raise them.
from wiretight._standard.errors import HAS_STANDARD as _HAS_STANDARD
from wiretight._standard.errors import socket_error

if TYPE_CHECKING:
    from wiretight._tls.exceptions import (
        CertificateError, SSLCertVerificationError, SSLEOFError, SSLError, SSLSyscallError, SSLWantReadError,
        SSLWantWriteError, SSLZeroReturnError,
    )
else:
    from wiretight._standard.errors import (
        CertificateError, SSLCertVerificationError, SSLEOFError, SSLError, SSLSyscallError, SSLWantReadError,
        SSLWantWriteError, SSLZeroReturnError,
    )

from wiretight._tls.constants import (
    ALERT_DESCRIPTION_ACCESS_DENIED, ALERT_DESCRIPTION_BAD_CERTIFICATE,
    ALERT_DESCRIPTION_BAD_CERTIFICATE_HASH_VALUE, ALERT_DESCRIPTION_BAD_CERTIFICATE_STATUS_RESPONSE,
    ALERT_DESCRIPTION_BAD_RECORD_MAC, ALERT_DESCRIPTION_CERTIFICATE_EXPIRED, ALERT_DESCRIPTION_CERTIFICATE_REVOKED,
    ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN, ALERT_DESCRIPTION_CERTIFICATE_UNOBTAINABLE,
    ALERT_DESCRIPTION_CLOSE_NOTIFY, ALERT_DESCRIPTION_DECODE_ERROR, ALERT_DESCRIPTION_DECOMPRESSION_FAILURE,
    ALERT_DESCRIPTION_DECRYPT_ERROR, ALERT_DESCRIPTION_HANDSHAKE_FAILURE, ALERT_DESCRIPTION_ILLEGAL_PARAMETER,
    ALERT_DESCRIPTION_INSUFFICIENT_SECURITY, ALERT_DESCRIPTION_INTERNAL_ERROR, ALERT_DESCRIPTION_NO_RENEGOTIATION,
    ALERT_DESCRIPTION_PROTOCOL_VERSION, ALERT_DESCRIPTION_RECORD_OVERFLOW, ALERT_DESCRIPTION_UNEXPECTED_MESSAGE,
    ALERT_DESCRIPTION_UNKNOWN_CA, ALERT_DESCRIPTION_UNKNOWN_PSK_IDENTITY, ALERT_DESCRIPTION_UNRECOGNIZED_NAME,
    ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE, ALERT_DESCRIPTION_UNSUPPORTED_EXTENSION,
    ALERT_DESCRIPTION_USER_CANCELLED, ALERT_DESCRIPTION_CERTIFICATE_REQUIRED, ALERT_DESCRIPTION_ECH_REQUIRED,
    ALERT_DESCRIPTION_MISSING_EXTENSION, ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL,
    AlertDescription, CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED,
    CHANNEL_BINDING_TYPES, DefaultVerifyPaths, HAS_ALPN, HAS_CERT_COMPRESSION, HAS_ECDH, HAS_ECH, HAS_ML_DSA,
    HAS_NEVER_CHECK_COMMON_NAME, HAS_NPN, HAS_PHA, HAS_PSK, HAS_PSK_TLS13, HAS_SNI, HAS_SSLv2, HAS_SSLv3, HAS_TLSv1,
    HAS_TLSv1_1, HAS_TLSv1_2, HAS_TLSv1_3, OP_ALL, OP_CIPHER_SERVER_PREFERENCE, OP_ENABLE_KTLS,
    OP_ENABLE_MIDDLEBOX_COMPAT, OP_IGNORE_UNEXPECTED_EOF, OP_LEGACY_SERVER_CONNECT, OP_NO_COMPRESSION,
    OP_NO_RENEGOTIATION, OP_NO_SSLv2, OP_NO_SSLv3, OP_NO_TICKET, OP_NO_TLSv1, OP_NO_TLSv1_1, OP_NO_TLSv1_2,
    OP_NO_TLSv1_3, OP_SINGLE_DH_USE, OP_SINGLE_ECDH_USE, Options, PROTOCOL_SSLv23, PROTOCOL_TLS,
    PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER, PROTOCOL_TLSv1, PROTOCOL_TLSv1_1, PROTOCOL_TLSv1_2, Purpose,
    SSLErrorNumber, SSL_ERROR_EOF, SSL_ERROR_INVALID_ERROR_CODE, SSL_ERROR_SSL, SSL_ERROR_SYSCALL,
    SSL_ERROR_WANT_CONNECT, SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE, SSL_ERROR_WANT_X509_LOOKUP,
    SSL_ERROR_ZERO_RETURN, TLSVersion, VERIFY_ALLOW_PROXY_CERTS, VERIFY_CRL_CHECK_CHAIN, VERIFY_CRL_CHECK_LEAF,
    VERIFY_DEFAULT, VERIFY_X509_PARTIAL_CHAIN, VERIFY_X509_STRICT, VERIFY_X509_TRUSTED_FIRST, VerifyFlags,
    VerifyMode, get_protocol_name,
)
from wiretight._tls.context import SSLContext
from wiretight._tls.defaults import create_default_context, get_default_verify_paths, get_server_certificate
from wiretight._core.context.algorithms import get_sigalgs
from wiretight._core.wire.memorybio import MemoryBIO
from wiretight._core.base.random import RAND_add, RAND_bytes, RAND_status
from wiretight._core.session.session import SSLSession
from wiretight._core.base.tables import OPENSSL_STATIC, OPENSSL_VERSION, OPENSSL_VERSION_INFO, OPENSSL_VERSION_NUMBER
from wiretight._core.trust.trustedfile import clear_trust_cache
from wiretight._tls.object import SSLObject
from wiretight._tls.certificate import (
    DER_cert_to_PEM_cert, PEM_FOOTER, PEM_HEADER, PEM_cert_to_DER_cert, cert_time_to_seconds,
)
from wiretight._tls.socket import SSLSocket

# Public, but not in __all__: with install(), a program's `from ssl import *` would import them over its own.
from wiretight._core.callbacks.clientcredential import CertificateRequest as CertificateRequest
from wiretight._core.callbacks.suspension import PENDING as PENDING
from wiretight._core.context.material import Credential as Credential
from wiretight._core.session.memorystore import MemorySessionStore as MemorySessionStore
from wiretight._core.trust.truststore import TrustStore as TrustStore
from wiretight._core.trust.verification import Verification as Verification, VerifyError as VerifyError
from wiretight._core.trust.verifiedchains import forget_verified_chains as forget_verified_chains
from wiretight._core.x509.certificate import Certificate as Certificate
from wiretight._tls.policies import Policy as Policy

if TYPE_CHECKING:
    from wiretight._tls.exceptions import SSLWantCallbackError as SSLWantCallbackError
else:
    from wiretight._standard.errors import SSLWantCallbackError

# Names of `ssl` that are not public, but used by programs. For type checkers, `as` marks them as exported.
from wiretight._tls.constants import (
    _ASN1Object as _ASN1Object, _DEFAULT_CIPHERS as _DEFAULT_CIPHERS, _PROTOCOL_NAMES as _PROTOCOL_NAMES,
    _RESTRICTED_SERVER_CIPHERS as _RESTRICTED_SERVER_CIPHERS, _SSLMethod as _SSLMethod, _TLSAlertType as _TLSAlertType,
    _TLSContentType as _TLSContentType, _TLSMessageType as _TLSMessageType,
)
from wiretight._tls.defaults import (
    _create_default_https_context as _create_default_https_context, _create_stdlib_context as _create_stdlib_context,
    _create_unverified_context as _create_unverified_context,
)
from wiretight._core.x509.objects import nid2obj as _nid2obj, txt2obj as _txt2obj
from wiretight._core.sslcontext import _SSLContext as _SSLContext
from wiretight._core.base.tables import OPENSSL_VERSION_INFO as _OPENSSL_API_VERSION
import base64
import errno
import os
import sys
import warnings
from collections import namedtuple
from socket import SO_TYPE, SOCK_STREAM, SOL_SOCKET, create_connection, socket

# Names that only an older Python's `ssl` has.
from wiretight._tls import removed as _removed

globals().update(_removed.NAMES)

if TYPE_CHECKING:
    from wiretight import _ssl as _ssl
    from wiretight._install import install as install, uninstall as uninstall
    from wiretight._tls.clienthello import ClientHello as ClientHello, parse_client_hello as parse_client_hello
    from wiretight._tls.handshakes import HandshakeEvent as HandshakeEvent, HandshakeFailure as HandshakeFailure
    from wiretight._tls.information import ConnectionInfo as ConnectionInfo
    from wiretight._tls.metrics import Metrics as Metrics
    from wiretight._tls.openmetrics import openmetrics as openmetrics
    from wiretight._tls.sessionstore import ServerSessionCache as ServerSessionCache, SessionStore as SessionStore
    from wiretight._tls.ticketkeys import TicketKey as TicketKey, TicketKeys as TicketKeys
    from wiretight._tls.ticketkeystores import (
        FileTicketKeyStore as FileTicketKeyStore, RedisTicketKeyStore as RedisTicketKeyStore,
        TicketKeyStore as TicketKeyStore,
    )
    from wiretight._tls.verifycodes import VerifyCode as VerifyCode
    from wiretight.selectors import Selector as Selector


# What few programs use is imported when it is asked for.
_LAZY = {
    **dict.fromkeys(("install", "uninstall"), "_install"),
    **dict.fromkeys(("ClientHello", "parse_client_hello"), "_tls.clienthello"),
    **dict.fromkeys(("HandshakeEvent", "HandshakeFailure"), "_tls.handshakes"),
    **dict.fromkeys(("ServerSessionCache", "SessionStore"), "_tls.sessionstore"),
    **dict.fromkeys(("TicketKey", "TicketKeys"), "_tls.ticketkeys"),
    **dict.fromkeys(("FileTicketKeyStore", "RedisTicketKeyStore", "TicketKeyStore"), "_tls.ticketkeystores"),
    "ConnectionInfo": "_tls.information",
    "Metrics": "_tls.metrics",
    "openmetrics": "_tls.openmetrics",
    "VerifyCode": "_tls.verifycodes",
    "Selector": "selectors",
}


def __getattr__(name: str) -> object:
    if name == "_ssl":
        return __import__("wiretight._ssl", fromlist=["x"])
    if name in _LAZY:
        return getattr(__import__(f"wiretight.{_LAZY[name]}", fromlist=["x"]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING and sys.version_info < (3, 12):
    from ssl import match_hostname as match_hostname

    from wiretight._tls.removed import RAND_pseudo_bytes as RAND_pseudo_bytes, wrap_socket as wrap_socket

__version__ = "0.1.0.dev0"

__all__ = [
    "ALERT_DESCRIPTION_ACCESS_DENIED", "ALERT_DESCRIPTION_BAD_CERTIFICATE",
    "ALERT_DESCRIPTION_BAD_CERTIFICATE_HASH_VALUE", "ALERT_DESCRIPTION_BAD_CERTIFICATE_STATUS_RESPONSE",
    "ALERT_DESCRIPTION_BAD_RECORD_MAC", "ALERT_DESCRIPTION_CERTIFICATE_EXPIRED",
    "ALERT_DESCRIPTION_CERTIFICATE_REVOKED", "ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN",
    "ALERT_DESCRIPTION_CERTIFICATE_UNOBTAINABLE", "ALERT_DESCRIPTION_CLOSE_NOTIFY",
    "ALERT_DESCRIPTION_DECODE_ERROR", "ALERT_DESCRIPTION_DECOMPRESSION_FAILURE", "ALERT_DESCRIPTION_DECRYPT_ERROR",
    "ALERT_DESCRIPTION_HANDSHAKE_FAILURE", "ALERT_DESCRIPTION_ILLEGAL_PARAMETER",
    "ALERT_DESCRIPTION_INSUFFICIENT_SECURITY", "ALERT_DESCRIPTION_INTERNAL_ERROR",
    "ALERT_DESCRIPTION_NO_RENEGOTIATION", "ALERT_DESCRIPTION_PROTOCOL_VERSION", "ALERT_DESCRIPTION_RECORD_OVERFLOW",
    "ALERT_DESCRIPTION_UNEXPECTED_MESSAGE", "ALERT_DESCRIPTION_UNKNOWN_CA",
    "ALERT_DESCRIPTION_UNKNOWN_PSK_IDENTITY", "ALERT_DESCRIPTION_UNRECOGNIZED_NAME",
    "ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE", "ALERT_DESCRIPTION_UNSUPPORTED_EXTENSION",
    "ALERT_DESCRIPTION_CERTIFICATE_REQUIRED", "ALERT_DESCRIPTION_ECH_REQUIRED",
    "ALERT_DESCRIPTION_MISSING_EXTENSION", "ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL",
    "ALERT_DESCRIPTION_USER_CANCELLED", "AlertDescription", "CERT_NONE", "CERT_OPTIONAL", "CERT_REQUIRED",
    "CHANNEL_BINDING_TYPES", "CertificateError", "DER_cert_to_PEM_cert", "DefaultVerifyPaths", "HAS_ALPN",
    "HAS_CERT_COMPRESSION", "HAS_ECDH", "HAS_ECH", "HAS_ML_DSA", "HAS_NEVER_CHECK_COMMON_NAME", "HAS_NPN",
    "HAS_PHA", "HAS_PSK", "HAS_PSK_TLS13", "HAS_SNI",
    "HAS_SSLv2", "HAS_SSLv3", "HAS_TLSv1", "HAS_TLSv1_1", "HAS_TLSv1_2", "HAS_TLSv1_3", "MemoryBIO",
    "OPENSSL_STATIC", "OPENSSL_VERSION", "OPENSSL_VERSION_INFO", "OPENSSL_VERSION_NUMBER", "OP_ALL",
    "OP_CIPHER_SERVER_PREFERENCE",
    "OP_ENABLE_KTLS", "OP_ENABLE_MIDDLEBOX_COMPAT", "OP_IGNORE_UNEXPECTED_EOF", "OP_LEGACY_SERVER_CONNECT",
    "OP_NO_COMPRESSION", "OP_NO_RENEGOTIATION", "OP_NO_SSLv2", "OP_NO_SSLv3", "OP_NO_TICKET", "OP_NO_TLSv1",
    "OP_NO_TLSv1_1", "OP_NO_TLSv1_2", "OP_NO_TLSv1_3", "OP_SINGLE_DH_USE", "OP_SINGLE_ECDH_USE", "Options",
    "PEM_FOOTER", "PEM_HEADER", "PEM_cert_to_DER_cert", "PROTOCOL_SSLv23", "PROTOCOL_TLS", "PROTOCOL_TLS_CLIENT",
    "PROTOCOL_TLS_SERVER", "PROTOCOL_TLSv1", "PROTOCOL_TLSv1_1", "PROTOCOL_TLSv1_2", "Purpose", "RAND_add",
    "RAND_bytes", "RAND_status", "SSLCertVerificationError", "SSLContext", "SSLEOFError", "SSLError",
    "SSLErrorNumber", "SSLObject", "SSLSession", "SSLSocket", "SSLSyscallError", "SSLWantReadError",
    "SSLWantWriteError", "SSLZeroReturnError", "SSL_ERROR_EOF", "SSL_ERROR_INVALID_ERROR_CODE", "SSL_ERROR_SSL",
    "SSL_ERROR_SYSCALL", "SSL_ERROR_WANT_CONNECT", "SSL_ERROR_WANT_READ", "SSL_ERROR_WANT_WRITE",
    "SSL_ERROR_WANT_X509_LOOKUP", "SSL_ERROR_ZERO_RETURN", "TLSVersion", "VERIFY_ALLOW_PROXY_CERTS",
    "VERIFY_CRL_CHECK_CHAIN", "VERIFY_CRL_CHECK_LEAF", "VERIFY_DEFAULT", "VERIFY_X509_PARTIAL_CHAIN",
    "VERIFY_X509_STRICT", "VERIFY_X509_TRUSTED_FIRST", "VerifyFlags", "VerifyMode", "cert_time_to_seconds",
    "clear_trust_cache",
    "create_default_context", "get_default_verify_paths", "get_protocol_name", "get_server_certificate",
    "get_sigalgs", "socket_error",
]
# `ssl` has no __all__: `from ssl import *` also imports the names that it imports for itself, and programs use them.
# install() and uninstall() are not here, for the same reason as Certificate and the like.
__all__ += [
    "SOCK_STREAM", "SOL_SOCKET", "SO_TYPE", "base64", "create_connection", "errno", "namedtuple", "os", "socket", "sys",
    "warnings",
]
if sys.version_info < (3, 12) and _HAS_STANDARD:
    __all__ += ["RAND_pseudo_bytes", "match_hostname", "wrap_socket"]
