"""PKCS#12: a private key, its certificate and others, in one encrypted piece of data."""

from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.x509 cimport stack_st_X509
from wiretight._core.x509.octets cimport Octets
from wiretight._core.x509.password cimport Password


cdef struct Bundle:
    EVP_PKEY *key
    stack_st_X509 *chain        # the certificate of the key, and those that lead on from it


cdef int read_pkcs12(Octets data, Password password, Bundle *bundle) except -1
