"""Verified chains: those whose signatures OpenSSL has verified, and need not verify again."""

from libc.stdint cimport uint64_t

from wiretight._core.context.context cimport Context
from wiretight._core.openssl.evp cimport SHA256_DIGEST_LENGTH
from wiretight._core.openssl.x509 cimport X509_STORE_CTX


cdef struct VerifiedChain:
    unsigned char digest[SHA256_DIGEST_LENGTH]
    uint64_t era                    # of the memory, when it was asked: a chain from before forget() comes too late


# False: it cannot be remembered, for lack of memory for instance
cdef bint identify(X509_STORE_CTX *check, const char *properties, VerifiedChain *chain) noexcept nogil
cdef bint recall(VerifiedChain *chain) noexcept nogil
cdef void remember(const VerifiedChain *chain) noexcept nogil
cdef bint remembers(Context context)
cdef int set_remembers(Context context, bint value) except -1
