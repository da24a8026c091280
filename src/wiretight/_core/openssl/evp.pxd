"""openssl/evp.h, sha.h: declarations only, in the order of the manual pages."""

from wiretight._core.openssl.params cimport OSSL_PARAM

cdef extern from "openssl/evp.h" nogil:
    ctypedef struct EVP_MD:
        pass
    ctypedef struct EVP_PKEY:
        pass
    enum: EVP_MAX_MD_SIZE
    EVP_MD *EVP_MD_fetch(void *ctx, const char *algorithm, const char *properties)
    void EVP_MD_free(EVP_MD *md)
    const EVP_MD *EVP_sha256()
    ctypedef struct EVP_MD_CTX:
        pass
    EVP_MD_CTX *EVP_MD_CTX_new()
    void EVP_MD_CTX_free(EVP_MD_CTX *ctx)
    int EVP_DigestInit_ex(EVP_MD_CTX *ctx, const EVP_MD *type, void *impl)
    int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *d, size_t cnt)
    int EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *md, unsigned int *s)
    ctypedef struct EVP_CIPHER:
        pass
    EVP_CIPHER *EVP_CIPHER_fetch(void *ctx, const char *algorithm, const char *properties)
    void EVP_CIPHER_free(EVP_CIPHER *cipher)
    ctypedef struct EVP_CIPHER_CTX:
        pass
    int EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG
    EVP_CIPHER_CTX *EVP_CIPHER_CTX_new()
    void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *ctx)
    int EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX *ctx, int type, int arg, void *ptr)
    int EVP_EncryptInit_ex(
        EVP_CIPHER_CTX *ctx, const EVP_CIPHER *type, void *impl, const unsigned char *key, const unsigned char *iv)
    int EVP_EncryptUpdate(EVP_CIPHER_CTX *ctx, unsigned char *out, int *outl, const unsigned char *data, int inl)
    int EVP_EncryptFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *out, int *outl)
    int EVP_DecryptInit_ex(
        EVP_CIPHER_CTX *ctx, const EVP_CIPHER *type, void *impl, const unsigned char *key, const unsigned char *iv)
    int EVP_DecryptUpdate(EVP_CIPHER_CTX *ctx, unsigned char *out, int *outl, const unsigned char *data, int inl)
    int EVP_DecryptFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *outm, int *outl)
    ctypedef struct EVP_MAC_CTX:
        pass
    int EVP_MAC_init(EVP_MAC_CTX *ctx, const unsigned char *key, size_t keylen, const OSSL_PARAM *params)
    int EVP_default_properties_is_fips_enabled(void *libctx)
    int EVP_PKEY_is_a(const EVP_PKEY *pkey, const char *name)
    const char *EVP_PKEY_get0_type_name(const EVP_PKEY *key)
    int EVP_PKEY_get_bits(const EVP_PKEY *pkey)
    int EVP_PKEY_up_ref(EVP_PKEY *key)
    void EVP_PKEY_free(EVP_PKEY *key)
    ctypedef struct EVP_PKEY_CTX:
        pass
    EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_name(void *libctx, const char *name, const char *propquery)
    void EVP_PKEY_CTX_free(EVP_PKEY_CTX *ctx)
    int EVP_PKEY_paramgen_init(EVP_PKEY_CTX *ctx)
    int EVP_PKEY_CTX_set_group_name(EVP_PKEY_CTX *ctx, const char *name)
    int EVP_PKEY_paramgen(EVP_PKEY_CTX *ctx, EVP_PKEY **ppkey)

cdef extern from "openssl/sha.h" nogil:
    enum: SHA256_DIGEST_LENGTH
    unsigned char *SHA256(const unsigned char *data, size_t count, unsigned char *md_buf)
