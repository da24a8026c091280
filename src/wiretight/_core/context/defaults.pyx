"""Defaults: the settings of a new context."""

from wiretight._core.base.errors cimport check
from wiretight._core.context.settings cimport Trust
from wiretight._core.context.versions cimport MINIMUM_SUPPORTED, PROTOCOL_TLS_CLIENT
from wiretight._core.openssl.ssl cimport (
    SSL_CTX_get0_param, SSL_CTX_get_cert_store, SSL_CTX_get_max_proto_version, SSL_CTX_get_min_proto_version,
    SSL_CTX_get_num_tickets, SSL_CTX_get_options, SSL_CTX_get_security_level, SSL_CTX_set_cipher_list,
    SSL_CTX_set_max_proto_version, SSL_CTX_set_min_proto_version, SSL_CTX_set_mode, SSL_CTX_set_options,
    SSL_DEFAULT_CIPHER_LIST, SSL_MODE_AUTO_RETRY, SSL_MODE_RELEASE_BUFFERS, SSL_OP_ALL,
    SSL_OP_CIPHER_SERVER_PREFERENCE, SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS, SSL_OP_ENABLE_MIDDLEBOX_COMPAT,
    SSL_OP_NO_COMPRESSION, SSL_OP_NO_SSLv3, SSL_OP_SINGLE_DH_USE, SSL_OP_SINGLE_ECDH_USE,
    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, SSL_VERIFY_NONE, SSL_VERIFY_PEER, TLS1_2_VERSION,
)
from wiretight._core.openssl.x509 cimport (
    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, X509_STORE_up_ref, X509_VERIFY_PARAM, X509_VERIFY_PARAM_get_flags,
    X509_VERIFY_PARAM_set_flags, X509_V_FLAG_TRUSTED_FIRST,
)

cdef extern from "compat.h" nogil:
    void wt_accept_any_host(X509_VERIFY_PARAM *param)

# Imported early: install() replaces this module with wiretight's.
try:
    from _ssl import _DEFAULT_CIPHERS as _standard_ciphers, _SSLContext as _standard_context
except ImportError:
    _standard_ciphers = _standard_context = None

cdef tuple policy = None


cdef tuple interpreters_policy():
    """(minimum version, ciphers) that this interpreter was built to set in every context; None for ciphers means
    OpenSSL's own, and MINIMUM_SUPPORTED leaves the version to openssl.cnf.

    A distribution sets its policy when it builds Python: Debian trusts its openssl.cnf, python.org's builds do not.
    Determined with the first context: creating one takes a quarter as long as importing this package.
    """
    global policy
    if policy is None:
        minimum, ciphers = TLS1_2_VERSION, None
        if _standard_context is not None:
            minimum = _standard_context(PROTOCOL_TLS_CLIENT).minimum_version
            if _standard_ciphers != SSL_DEFAULT_CIPHER_LIST.decode("ascii"):
                ciphers = _standard_ciphers
        policy = (minimum, ciphers)
    return policy


cdef Settings defaults(SSL_CTX *ctx, int only_version, bint verifies):
    """Configures a new SSL_CTX as CPython 3.15 documents it for `ssl.SSLContext`, and returns its settings.

    `only_version` is the version of a single-version context, otherwise 0. The settings of openssl.cnf stay, except
    those that `ssl` overrides too: whether to verify, and how names are compared.
    """
    cdef Settings settings = Settings()
    cdef X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(ctx)
    minimum, ciphers = interpreters_policy()
    if only_version:
        minimum = only_version
        check(SSL_CTX_set_max_proto_version(ctx, minimum))
    if minimum != MINIMUM_SUPPORTED:
        check(SSL_CTX_set_min_proto_version(ctx, minimum))
    if ciphers is not None:
        check(SSL_CTX_set_cipher_list(ctx, <bytes>ciphers.encode()))
    SSL_CTX_set_options(
        ctx,
        SSL_OP_ALL & ~SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS | SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION
        | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE
        | SSL_OP_ENABLE_MIDDLEBOX_COMPAT,
    )
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY)
    check(X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_TRUSTED_FIRST))
    wt_accept_any_host(parameters)
    settings.values.options = SSL_CTX_get_options(ctx)
    settings.values.minimum_version = SSL_CTX_get_min_proto_version(ctx)
    settings.values.maximum_version = SSL_CTX_get_max_proto_version(ctx)
    settings.values.verify_mode = openssl_mode(CERT_REQUIRED if verifies else CERT_NONE)
    settings.values.verify_flags = X509_VERIFY_PARAM_get_flags(parameters)
    settings.values.host_flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
    settings.values.check_hostname = verifies
    settings.values.num_tickets = SSL_CTX_get_num_tickets(ctx)
    settings.values.security_level = SSL_CTX_get_security_level(ctx)
    settings.values.remembers_chains = True
    settings.credentials = ()
    settings.trust = Trust()
    X509_STORE_up_ref(SSL_CTX_get_cert_store(ctx))
    settings.trust.store = SSL_CTX_get_cert_store(ctx)
    settings.trust.additions = ()
    return settings


cdef int openssl_mode(int mode) noexcept:
    if mode == CERT_NONE:
        return SSL_VERIFY_NONE
    return SSL_VERIFY_PEER | (SSL_VERIFY_FAIL_IF_NO_PEER_CERT if mode == CERT_REQUIRED else 0)
