"""Defaults: the settings of a new context."""

from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.ssl cimport SSL_CTX

# The verify modes, as the standard library numbers them.
cdef enum:
    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2


cdef Settings defaults(SSL_CTX *ctx, int only_version, bint verifies)
cdef int openssl_mode(int mode) noexcept        # for SSL_set_verify()
