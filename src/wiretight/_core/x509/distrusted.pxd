"""The keys of certificate authorities that are known to be compromised."""

from wiretight._core.openssl.ssl cimport SSL_CTX


cdef void reject_distrusted(SSL_CTX *ctx) noexcept
