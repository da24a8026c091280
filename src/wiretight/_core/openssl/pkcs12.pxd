"""openssl/pkcs12.h: declarations only, in the order of the manual pages."""

from wiretight._core.openssl.bio cimport BIO
from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.x509 cimport X509, stack_st_X509

cdef extern from "openssl/pkcs12.h" nogil:
    ctypedef struct PKCS12:
        pass
    int PKCS12_R_MAC_VERIFY_FAILURE
    PKCS12 *d2i_PKCS12_bio(BIO *bp, PKCS12 **p12)
    void PKCS12_free(PKCS12 *p12)
    int PKCS12_mac_present(const PKCS12 *p12)
    int PKCS12_parse(PKCS12 *p12, const char *password, EVP_PKEY **pkey, X509 **cert, stack_st_X509 **ca)
