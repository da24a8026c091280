"""openssl/crypto.h: declarations only, in the order of the manual pages."""

cdef extern from "openssl/crypto.h" nogil:
    const char *OpenSSL_version(int type)
    unsigned long OpenSSL_version_num()
    int OPENSSL_VERSION
    void OPENSSL_free(void *p)
