"""The enums for a Python that was built without `_ssl`; any other uses the standard library's."""

from __future__ import annotations

from enum import Enum, IntEnum, IntFlag
from typing import NamedTuple

from wiretight._core.base.tables import CONSTANTS


def _renamed(prefix: str, name: str) -> dict[str, int]:
    """OpenSSL's constants that begin with `prefix`, under the names of `ssl`."""
    return {name + key.removeprefix(prefix): value for key, value in CONSTANTS.items() if key.startswith(prefix)}


Options = IntFlag("Options", _renamed("SSL_OP_", "OP_"))  # type: ignore[misc]
VerifyFlags = IntFlag("VerifyFlags", _renamed("X509_V_FLAG_", "VERIFY_"))  # type: ignore[misc]
AlertDescription = IntEnum("AlertDescription", _renamed("SSL_AD_", "ALERT_DESCRIPTION_"))  # type: ignore[misc]
SSLErrorNumber = IntEnum("SSLErrorNumber", _renamed("SSL_ERROR_", "SSL_ERROR_"))  # type: ignore[misc]
_TLSAlertType = IntEnum("_TLSAlertType", _renamed("SSL_AD_", ""))  # type: ignore[misc]


class VerifyMode(IntEnum):
    """Whether a peer must present a certificate. Since 0.1."""

    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2


class TLSVersion(IntEnum):
    """Protocol versions, as encoded on the wire. Since 0.1. Source: RFC 8446, appendix B.1."""

    MINIMUM_SUPPORTED = -2
    SSLv3 = 0x300
    TLSv1 = 0x301
    TLSv1_1 = 0x302
    TLSv1_2 = 0x303
    TLSv1_3 = 0x304
    MAXIMUM_SUPPORTED = -1


class _SSLMethod(IntEnum):
    PROTOCOL_TLS = PROTOCOL_SSLv23 = 2
    PROTOCOL_TLSv1 = 3
    PROTOCOL_TLSv1_1 = 4
    PROTOCOL_TLSv1_2 = 5
    PROTOCOL_TLS_CLIENT = 16
    PROTOCOL_TLS_SERVER = 17


class _TLSContentType(IntEnum):
    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    HEADER = 0x100
    INNER_CONTENT_TYPE = 0x101


class _TLSMessageType(IntEnum):
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    NEWSESSION_TICKET = 4
    END_OF_EARLY_DATA = 5
    ENCRYPTED_EXTENSIONS = 8
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20
    CERTIFICATE_STATUS = 22
    KEY_UPDATE = 24
    CHANGE_CIPHER_SPEC = 0x101


class _ASN1Object(NamedTuple):
    nid: int
    shortname: str
    longname: str
    oid: str


class Purpose(_ASN1Object, Enum):
    """Who is to be verified: a server by its client, or a client by its server.

    Since 0.1. Source: RFC 5280, section 4.2.1.12.
    """

    SERVER_AUTH = 129, "serverAuth", "TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = 130, "clientAuth", "TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"


class DefaultVerifyPaths(NamedTuple):
    """Where OpenSSL looks for CA certificates: paths, and the environment variables that override them. Since 0.1."""

    cafile: str | None
    capath: str | None
    openssl_cafile_env: str
    openssl_cafile: str
    openssl_capath_env: str
    openssl_capath: str
