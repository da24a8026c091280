"""Credential: a certificate chain and its private key."""

from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.x509 cimport X509, stack_st_X509


cdef class Credential:
    cdef X509 *leaf
    cdef EVP_PKEY *key
    cdef stack_st_X509 *chain       # NULL: OpenSSL completes it from the trusted certificates
    cdef object __weakref__

    cdef bint has_chain_of(self, Credential other)


cdef Credential new_credential(stack_st_X509 *certificates)         # of which it takes ownership; without a key yet
cdef int give_key(Credential credential, EVP_PKEY *key) except -1   # of which it takes ownership; must fit
