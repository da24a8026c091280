"""Digests of a certificate and of its public key."""

from wiretight._core.base.errors cimport check_memory, forget_errors
from wiretight._core.base.text cimport c_string
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.evp cimport EVP_MAX_MD_SIZE, EVP_MD, EVP_MD_fetch, EVP_MD_free, SHA256
from wiretight._core.openssl.x509 cimport X509_digest, X509_get_X509_PUBKEY, i2d_X509_PUBKEY


cdef bytes fingerprint(X509 *x509, str name):
    """OpenSSL: EVP_MD_fetch(3), X509_digest(3)"""
    cdef unsigned char digest[EVP_MAX_MD_SIZE]
    cdef unsigned int length = 0
    cdef EVP_MD *function
    cdef int done = 0
    cdef bytes algorithm = c_string(name)
    forget_errors()
    function = EVP_MD_fetch(NULL, algorithm, NULL)
    if function != NULL:
        done = X509_digest(x509, function, digest, &length)
        EVP_MD_free(function)
    if done <= 0:
        check_memory()
        raise ValueError(f"OpenSSL has no hash function {name!r} for this: use 'sha256', for example")
    return <bytes>digest[:length]


cdef bint digest_key(X509 *x509, unsigned char *digest) noexcept nogil:
    """OpenSSL: i2d_X509_PUBKEY(3), SHA256(3)"""
    cdef unsigned char *key = NULL
    cdef int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &key)
    cdef bint done
    if length <= 0:
        return False
    done = SHA256(key, length, digest) != NULL
    OPENSSL_free(key)
    return done
