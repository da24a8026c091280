"""What Python 3.13 to 3.15 brought, and wiretight has on every Python."""

import ssl

from typing_extensions import assert_type


def chain(connection: ssl.SSLSocket, tls: ssl.SSLObject) -> list[bytes]:
    assert_type(connection.get_verified_chain(), list[bytes])
    assert_type(tls.get_unverified_chain(), list[bytes])
    return connection.get_unverified_chain()


def algorithms(context: ssl.SSLContext) -> list[str]:
    context.set_ciphersuites("TLS_AES_256_GCM_SHA384")
    context.set_groups("X25519:P-256")
    context.set_client_sigalgs("ed25519")
    context.set_server_sigalgs("rsa_pss_rsae_sha256")
    assert_type(context.get_groups(include_aliases=True), list[str])
    return ssl.get_sigalgs()


def agreed(connection: ssl.SSLSocket, tls: ssl.SSLObject) -> list[str | None]:
    assert_type(tls.group(), str | None)
    return [connection.group(), connection.client_sigalg(), tls.server_sigalg()]


def features() -> bool:
    return ssl.HAS_PSK and ssl.HAS_PSK_TLS13 and ssl.HAS_PHA
