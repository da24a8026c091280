"""openssl/crypto.h, rand.h: declarations only, in the order of the manual pages."""

cdef extern from "openssl/crypto.h" nogil:
    const char *OpenSSL_version(int type)
    unsigned long OpenSSL_version_num()
    int OPENSSL_VERSION
    void *OPENSSL_zalloc(size_t num)
    void OPENSSL_free(void *p)
    void OPENSSL_clear_free(void *p, size_t num)
    void OPENSSL_cleanse(void *ptr, size_t len)
    ctypedef struct CRYPTO_EX_DATA:
        pass
    ctypedef void CRYPTO_EX_free(
        void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp) noexcept

cdef extern from "openssl/rand.h" nogil:
    int RAND_bytes(unsigned char *buf, int num)
    void RAND_add(const void *buf, int num, double randomness)
    int RAND_status()
