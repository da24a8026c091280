"""openssl/pem.h: declarations only, in the order of the manual pages."""

from wiretight._core.openssl.bio cimport BIO
from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.x509 cimport X509, X509_CRL, stack_st_X509_INFO

# OpenSSL's own pem_password_cb is the function, not the pointer to it.
ctypedef int (*password_cb)(char *buf, int size, int rwflag, void *userdata) noexcept

cdef extern from "openssl/pem.h" nogil:
    int PEM_R_NO_START_LINE
    EVP_PKEY *PEM_read_bio_PrivateKey(BIO *bp, EVP_PKEY **x, password_cb cb, void *u)
    EVP_PKEY *PEM_read_bio_Parameters(BIO *bp, EVP_PKEY **x)
    int PEM_write_bio_Parameters(BIO *bp, const EVP_PKEY *x)
    int PEM_bytes_read_bio(
        unsigned char **pdata, long *plen, char **pnm, const char *name, BIO *bp, password_cb cb, void *u)
    X509 *PEM_read_bio_X509(BIO *bp, X509 **x, password_cb cb, void *u)
    X509 *PEM_read_bio_X509_AUX(BIO *bp, X509 **x, password_cb cb, void *u)
    X509_CRL *PEM_read_bio_X509_CRL(BIO *bp, X509_CRL **x, password_cb cb, void *u)
    int PEM_write_bio_X509(BIO *bp, X509 *x)
    stack_st_X509_INFO *PEM_X509_INFO_read_bio(BIO *bp, stack_st_X509_INFO *sk, password_cb cb, void *u)
