"""What this OpenSSL can do, and random bytes from it."""

import ssl

from typing_extensions import assert_type

assert_type(ssl.HAS_TLSv1_3, bool)
assert_type(ssl.OPENSSL_VERSION, str)
assert_type(ssl.OPENSSL_VERSION_INFO, tuple[int, int, int, int, int])
assert_type(ssl.OPENSSL_VERSION_NUMBER, int)
assert_type(ssl.CHANNEL_BINDING_TYPES, list[str])


def features() -> dict[str, bool]:
    return {
        "SNI": ssl.HAS_SNI,
        "ECDH": ssl.HAS_ECDH,
        "NPN": ssl.HAS_NPN,
        "ALPN": ssl.HAS_ALPN,
        "SSLv2": ssl.HAS_SSLv2,
        "SSLv3": ssl.HAS_SSLv3,
        "TLSv1": ssl.HAS_TLSv1,
        "TLSv1.1": ssl.HAS_TLSv1_1,
        "TLSv1.2": ssl.HAS_TLSv1_2,
        "common name": ssl.HAS_NEVER_CHECK_COMMON_NAME,
    }


def newer_than(major: int, minor: int) -> bool:
    return (major, minor) <= ssl.OPENSSL_VERSION_INFO


def legacy(connections: list[ssl.SSLContext]) -> ssl.Options:
    combined = ssl.OP_NO_SSLv2 | ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
    combined |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3 | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE
    for context in connections:
        if context.protocol in (ssl.PROTOCOL_TLS, ssl.PROTOCOL_SSLv23, ssl.PROTOCOL_TLSv1_2):
            context.options |= combined
            context.options |= ssl.OP_ALL
    assert_type(combined, ssl.Options)
    return combined


def token() -> bytes:
    if not ssl.RAND_status():
        ssl.RAND_add("seed", 0.5)
        ssl.RAND_add(b"seed", 4.0)
    return ssl.RAND_bytes(32)
