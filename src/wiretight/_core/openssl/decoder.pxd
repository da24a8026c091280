"""openssl/decoder.h: declarations only, in the order of the manual pages."""

from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.pem cimport password_cb

cdef extern from "openssl/decoder.h" nogil:
    ctypedef struct OSSL_DECODER_CTX:
        pass
    int EVP_PKEY_KEYPAIR
    OSSL_DECODER_CTX *OSSL_DECODER_CTX_new_for_pkey(
        EVP_PKEY **pkey, const char *input_type, const char *input_struct, const char *keytype, int selection,
        void *libctx, const char *propquery)
    int OSSL_DECODER_CTX_set_pem_password_cb(OSSL_DECODER_CTX *ctx, password_cb cb, void *cbarg)
    int OSSL_DECODER_from_data(OSSL_DECODER_CTX *ctx, const unsigned char **pdata, size_t *pdata_len)
    void OSSL_DECODER_CTX_free(OSSL_DECODER_CTX *ctx)
