"""Digests of a certificate and of its public key."""

from wiretight._core.openssl.x509 cimport X509

cdef bytes fingerprint(X509 *x509, str name)        # of the DER encoding
# The SHA-256 digest of the SubjectPublicKeyInfo; False without the memory for it
cdef bint digest_key(X509 *x509, unsigned char *digest) noexcept nogil
