"""Versions: the protocol of a context, and the versions of TLS that it allows."""

from cpython.exc cimport PyErr_WarnEx

from wiretight._core.openssl.ssl cimport (
    SSL3_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION, TLS1_VERSION, TLS_client_method, TLS_method,
    TLS_server_method,
)

# protocol: (its only version, its name); the others negotiate the version.
cdef dict ONE_VERSION = {
    PROTOCOL_TLSv1: (TLS1_VERSION, "PROTOCOL_TLSv1"),
    PROTOCOL_TLSv1_1: (TLS1_1_VERSION, "PROTOCOL_TLSv1_1"),
    PROTOCOL_TLSv1_2: (TLS1_2_VERSION, "PROTOCOL_TLSv1_2"),
}

cdef dict OLD_VERSIONS = {SSL3_VERSION: "SSLv3", TLS1_VERSION: "TLSv1", TLS1_1_VERSION: "TLSv1_1"}


cdef const SSL_METHOD *method_of(int protocol) except NULL:
    """OpenSSL: TLS_method(3)"""
    if protocol == PROTOCOL_TLS_CLIENT:
        return TLS_client_method()
    if protocol == PROTOCOL_TLS_SERVER:
        return TLS_server_method()
    if protocol != PROTOCOL_TLS and protocol not in ONE_VERSION:
        raise ValueError(f"invalid or unsupported protocol version {protocol}")
    return TLS_method()


cdef int warn_of(int protocol) except -1:
    """Warns of a deprecated protocol."""
    if protocol == PROTOCOL_TLS:
        warn_deprecated("PROTOCOL_TLS")
    elif protocol in ONE_VERSION:
        warn_deprecated(ONE_VERSION[protocol][1])
    return 0


cdef int only_version(int protocol) except -1:
    return ONE_VERSION[protocol][0] if protocol in ONE_VERSION else 0


cdef int shown_limit(int protocol, int version, int unlimited) except? -1:
    """A single-version context shows no limits, as in `ssl`: its version is not a limit."""
    return unlimited if version == 0 or protocol in ONE_VERSION else version


cdef int check_version(int protocol, int version) except -1:
    """Raises ValueError unless `version` may be a limit."""
    if protocol in ONE_VERSION:
        raise ValueError("The context's protocol doesn't support modification of highest and lowest version.")
    if version in OLD_VERSIONS:
        warn_deprecated(f"TLSVersion.{OLD_VERSIONS[version]}")
    elif version not in (MINIMUM_SUPPORTED, MAXIMUM_SUPPORTED, TLS1_2_VERSION, TLS1_3_VERSION):
        raise ValueError(f"Unsupported TLS/SSL version 0x{version:x}")
    return 0


cdef int warn_deprecated(str name) except -1:
    # Level 2: the Python face calls this, and its caller uses the name.
    return PyErr_WarnEx(DeprecationWarning, f"ssl.{name} is deprecated".encode(), 2)
