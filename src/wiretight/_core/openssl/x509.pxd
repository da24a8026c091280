"""openssl/x509.h, x509v3.h, x509_vfy.h: declarations only, in the order of the manual pages."""

from libc.stdint cimport uint32_t

from wiretight._core.openssl.asn1 cimport ASN1_INTEGER, ASN1_OBJECT, ASN1_STRING, ASN1_TIME
from wiretight._core.openssl.bio cimport BIO
from wiretight._core.openssl.crypto cimport CRYPTO_EX_free
from wiretight._core.openssl.evp cimport EVP_MD, EVP_PKEY

cdef extern from "openssl/x509v3.h" nogil:
    ctypedef struct X509:
        pass
    ctypedef struct X509_STORE:
        pass
    ctypedef struct X509_VERIFY_PARAM:
        pass
    ctypedef struct X509_STORE_CTX:
        pass
    cdef struct stack_st_X509:
        pass
    int X509_up_ref(X509 *a)
    stack_st_X509 *X509_chain_up_ref(stack_st_X509 *chain)
    void X509_free(X509 *a)
    int sk_X509_num(stack_st_X509 *sk)
    X509 *sk_X509_value(stack_st_X509 *sk, int i)
    int X509_VERIFY_PARAM_set1_host(X509_VERIFY_PARAM *param, const char *name, size_t namelen)
    int X509_VERIFY_PARAM_set1_ip_asc(X509_VERIFY_PARAM *param, const char *ipasc)
    int X509_VERIFY_PARAM_set1_ip(X509_VERIFY_PARAM *param, const unsigned char *ip, size_t iplen)
    ASN1_STRING *a2i_IPADDRESS(const char *ipasc)
    const char *X509_verify_cert_error_string(long n)
    int X509_V_OK, X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

    # the name of a subject or issuer
    ctypedef struct X509_NAME:
        pass
    ctypedef struct X509_NAME_ENTRY:
        pass
    X509_NAME *d2i_X509_NAME(X509_NAME **a, const unsigned char **ppin, long length)
    int i2d_X509_NAME(const X509_NAME *a, unsigned char **ppout)
    void X509_NAME_free(X509_NAME *a)
    int X509_NAME_cmp(const X509_NAME *a, const X509_NAME *b)
    int X509_NAME_entry_count(const X509_NAME *name)
    X509_NAME_ENTRY *X509_NAME_get_entry(const X509_NAME *name, int loc)
    int X509_NAME_ENTRY_set(const X509_NAME_ENTRY *ne)
    ASN1_OBJECT *X509_NAME_ENTRY_get_object(const X509_NAME_ENTRY *ne)
    ASN1_STRING *X509_NAME_ENTRY_get_data(const X509_NAME_ENTRY *ne)
    int X509_NAME_print_ex(BIO *out, const X509_NAME *nm, int indent, unsigned long flags)
    unsigned long XN_FLAG_RFC2253, XN_FLAG_ONELINE, ASN1_STRFLGS_ESC_MSB

    # certificate
    int X509_digest(const X509 *data, const EVP_MD *type, unsigned char *md, unsigned int *len)
    int X509_check_ca(X509 *x)
    int X509_check_private_key(const X509 *x, const EVP_PKEY *k)
    int X509_check_issued(X509 *issuer, X509 *subject)
    int X509_verify(X509 *certificate, EVP_PKEY *key)
    EVP_PKEY *X509_get0_pubkey(const X509 *x)
    long X509_get_version(const X509 *x)
    ASN1_INTEGER *X509_get_serialNumber(X509 *x)
    const ASN1_TIME *X509_get0_notBefore(const X509 *x)
    const ASN1_TIME *X509_get0_notAfter(const X509 *x)
    X509_NAME *X509_get_subject_name(const X509 *x)
    X509_NAME *X509_get_issuer_name(const X509 *x)
    void *X509_get_ext_d2i(const X509 *x, int nid, int *crit, int *idx)
    int i2d_X509(const X509 *a, unsigned char **ppout)
    int i2d_X509_AUX(const X509 *a, unsigned char **ppout)
    const X509_ALGOR *X509_get0_tbs_sigalg(const X509 *x)
    int X509_get_signature_info(X509 *x, int *mdnid, int *pknid, int *secbits, uint32_t *flags)
    ctypedef struct X509_ALGOR:
        ASN1_OBJECT *algorithm
    ctypedef struct X509_PUBKEY:
        pass
    X509_PUBKEY *X509_get_X509_PUBKEY(const X509 *x)
    int X509_PUBKEY_get0_param(
        ASN1_OBJECT **ppkalg, const unsigned char **pk, int *ppklen, void **pa, const X509_PUBKEY *pub)
    int i2d_X509_PUBKEY(const X509_PUBKEY *a, unsigned char **ppout)
    X509 *d2i_X509(X509 **a, const unsigned char **ppin, long length)
    X509 *d2i_X509_bio(BIO *bp, X509 **x)

    # general names and the extensions that hold them
    cdef struct stack_st_GENERAL_NAME:
        pass
    cdef struct stack_st_DIST_POINT:
        pass
    cdef struct stack_st_ACCESS_DESCRIPTION:
        pass
    ctypedef stack_st_GENERAL_NAME GENERAL_NAMES
    ctypedef stack_st_DIST_POINT CRL_DIST_POINTS
    ctypedef stack_st_ACCESS_DESCRIPTION AUTHORITY_INFO_ACCESS
    ctypedef struct GENERAL_NAME:
        pass
    ctypedef struct DIST_POINT_NAME:
        int type
        GENERAL_NAMES *fullname "name.fullname"
    ctypedef struct DIST_POINT:
        DIST_POINT_NAME *distpoint
    ctypedef struct ACCESS_DESCRIPTION:
        ASN1_OBJECT *method
        GENERAL_NAME *location
    int GEN_OTHERNAME, GEN_EMAIL, GEN_DNS, GEN_X400, GEN_DIRNAME, GEN_EDIPARTY, GEN_URI, GEN_IPADD, GEN_RID
    void *GENERAL_NAME_get0_value(const GENERAL_NAME *a, int *ptype)
    int GENERAL_NAME_print(BIO *out, GENERAL_NAME *gen)
    void GENERAL_NAMES_free(GENERAL_NAMES *a)
    int sk_GENERAL_NAME_num(const GENERAL_NAMES *sk)
    GENERAL_NAME *sk_GENERAL_NAME_value(const GENERAL_NAMES *sk, int i)
    void CRL_DIST_POINTS_free(CRL_DIST_POINTS *a)
    int sk_DIST_POINT_num(const CRL_DIST_POINTS *sk)
    DIST_POINT *sk_DIST_POINT_value(const CRL_DIST_POINTS *sk, int i)
    void AUTHORITY_INFO_ACCESS_free(AUTHORITY_INFO_ACCESS *a)
    int sk_ACCESS_DESCRIPTION_num(const AUTHORITY_INFO_ACCESS *sk)
    ACCESS_DESCRIPTION *sk_ACCESS_DESCRIPTION_value(const AUTHORITY_INFO_ACCESS *sk, int i)

    # stacks of certificates, and what a PEM file holds
    ctypedef struct X509_CRL:
        pass
    ctypedef struct X509_INFO:
        X509 *x509
        X509_CRL *crl
    cdef struct stack_st_X509_INFO:
        pass
    stack_st_X509 *sk_X509_new_null()
    int sk_X509_push(stack_st_X509 *sk, X509 *x)
    X509 *sk_X509_shift(stack_st_X509 *sk)
    X509 *sk_X509_delete(stack_st_X509 *sk, int i)
    void sk_X509_pop_free(stack_st_X509 *sk, void (*free)(X509 *) noexcept)
    cdef struct stack_st_X509_CRL:
        pass
    stack_st_X509_CRL *sk_X509_CRL_new_null()
    int sk_X509_CRL_push(stack_st_X509_CRL *sk, X509_CRL *crl)
    X509_CRL *sk_X509_CRL_shift(stack_st_X509_CRL *sk)
    int sk_X509_CRL_num(stack_st_X509_CRL *sk)
    X509_CRL *sk_X509_CRL_value(stack_st_X509_CRL *sk, int i)
    void sk_X509_CRL_pop_free(stack_st_X509_CRL *sk, void (*free)(X509_CRL *) noexcept)
    void X509_CRL_free(X509_CRL *a)
    int X509_CRL_up_ref(X509_CRL *crl)
    const ASN1_TIME *X509_CRL_get0_nextUpdate(const X509_CRL *crl)
    X509_NAME *X509_CRL_get_issuer(const X509_CRL *crl)
    int X509_NAME_digest(const X509_NAME *data, const EVP_MD *type, unsigned char *md, unsigned int *len)
    X509_CRL *d2i_X509_CRL_bio(BIO *bp, X509_CRL **crl)
    int i2d_X509_CRL(X509_CRL *a, unsigned char **ppout)
    int X509_CRL_digest(const X509_CRL *data, const EVP_MD *type, unsigned char *md, unsigned int *len)
    void X509_INFO_free(X509_INFO *a)
    int sk_X509_INFO_num(stack_st_X509_INFO *sk)
    X509_INFO *sk_X509_INFO_value(stack_st_X509_INFO *sk, int i)
    void sk_X509_INFO_pop_free(stack_st_X509_INFO *sk, void (*free)(X509_INFO *) noexcept)

    # store
    ctypedef struct X509_OBJECT:
        pass
    cdef struct stack_st_X509_OBJECT:
        pass
    X509_STORE *X509_STORE_new()
    int X509_STORE_up_ref(X509_STORE *xs)
    void X509_STORE_free(X509_STORE *xs)
    int X509_STORE_add_cert(X509_STORE *store, X509 *x)
    int X509_STORE_add_crl(X509_STORE *store, X509_CRL *crl)
    int X509_STORE_set_flags(X509_STORE *xs, unsigned long flags)
    int X509_STORE_load_path(X509_STORE *xs, const char *dir)
    int X509_STORE_get_ex_new_index(long argl, void *argp, void *new_func, void *dup_func, CRYPTO_EX_free *free_func)
    int X509_STORE_set_ex_data(X509_STORE *ctx, int idx, void *data)
    void *X509_STORE_get_ex_data(const X509_STORE *ctx, int idx)
    int X509_STORE_CTX_get1_issuer(X509 **issuer, X509_STORE_CTX *ctx, X509 *x)
    stack_st_X509 *X509_STORE_CTX_get1_certs(X509_STORE_CTX *ctx, const X509_NAME *nm)
    int X509_STORE_lock(X509_STORE *store)
    int X509_STORE_unlock(X509_STORE *store)
    stack_st_X509 *X509_STORE_get1_all_certs(X509_STORE *store)
    stack_st_X509_OBJECT *X509_STORE_get0_objects(const X509_STORE *store)
    int sk_X509_OBJECT_num(const stack_st_X509_OBJECT *sk)
    X509_OBJECT *sk_X509_OBJECT_value(const stack_st_X509_OBJECT *sk, int i)
    int sk_X509_OBJECT_push(stack_st_X509_OBJECT *sk, X509_OBJECT *object)
    X509_OBJECT *sk_X509_OBJECT_pop(stack_st_X509_OBJECT *sk)
    void sk_X509_OBJECT_sort(stack_st_X509_OBJECT *sk)
    int sk_X509_OBJECT_is_sorted(const stack_st_X509_OBJECT *sk)
    X509_OBJECT *X509_OBJECT_new()
    void X509_OBJECT_free(X509_OBJECT *a)
    int X509_OBJECT_set1_X509(X509_OBJECT *a, X509 *obj)
    int X509_OBJECT_set1_X509_CRL(X509_OBJECT *a, X509_CRL *obj)
    X509_CRL *X509_OBJECT_get0_X509_CRL(const X509_OBJECT *a)
    int X509_OBJECT_get_type(const X509_OBJECT *a)
    X509 *X509_OBJECT_get0_X509(const X509_OBJECT *a)
    int X509_LU_X509, X509_LU_CRL
    const char *X509_get_default_cert_dir()
    const char *X509_get_default_cert_file()
    const char *X509_get_default_cert_dir_env()
    const char *X509_get_default_cert_file_env()

    # verification
    ctypedef int (*X509_STORE_CTX_verify_cb)(int, X509_STORE_CTX *) noexcept nogil
    ctypedef int (*X509_STORE_CTX_verify_fn)(X509_STORE_CTX *) noexcept nogil
    int X509_verify_cert(X509_STORE_CTX *ctx)
    X509_STORE_CTX *X509_STORE_CTX_new()
    void X509_STORE_CTX_free(X509_STORE_CTX *ctx)
    int X509_STORE_CTX_init(X509_STORE_CTX *ctx, X509_STORE *trust_store, X509 *target, stack_st_X509 *untrusted)
    int X509_STORE_CTX_set_default(X509_STORE_CTX *ctx, const char *name)
    int X509_STORE_CTX_get_ex_new_index(long argl, void *argp, void *new_func, void *dup_func, void *free_func)
    int X509_STORE_CTX_set_ex_data(X509_STORE_CTX *ctx, int idx, void *arg)
    void *X509_STORE_CTX_get_ex_data(X509_STORE_CTX *ctx, int idx)
    void X509_STORE_CTX_set_verify_cb(X509_STORE_CTX *ctx, X509_STORE_CTX_verify_cb verify_cb)
    void X509_STORE_CTX_set_verify(X509_STORE_CTX *ctx, X509_STORE_CTX_verify_fn verify)
    X509_STORE_CTX_verify_fn X509_STORE_CTX_get_verify(const X509_STORE_CTX *ctx)
    X509_VERIFY_PARAM *X509_STORE_CTX_get0_param(const X509_STORE_CTX *ctx)
    X509_STORE *X509_STORE_CTX_get0_store(const X509_STORE_CTX *ctx)
    X509 *X509_STORE_CTX_get0_cert(const X509_STORE_CTX *ctx)
    stack_st_X509 *X509_STORE_CTX_get0_untrusted(const X509_STORE_CTX *ctx)
    stack_st_X509 *X509_STORE_CTX_get0_chain(const X509_STORE_CTX *ctx)
    stack_st_X509 *X509_STORE_CTX_get1_chain(const X509_STORE_CTX *ctx)
    void X509_STORE_CTX_set0_verified_chain(X509_STORE_CTX *c, stack_st_X509 *sk)
    int X509_STORE_CTX_get_error(const X509_STORE_CTX *ctx)
    void X509_STORE_CTX_set_error(X509_STORE_CTX *ctx, int s)
    int X509_STORE_CTX_get_error_depth(const X509_STORE_CTX *ctx)
    void X509_STORE_CTX_set_error_depth(X509_STORE_CTX *ctx, int depth)
    X509 *X509_STORE_CTX_get_current_cert(const X509_STORE_CTX *ctx)
    void X509_STORE_CTX_set_current_cert(X509_STORE_CTX *ctx, X509 *x)
    int X509_V_ERR_UNSPECIFIED, X509_V_ERR_OUT_OF_MEM, X509_V_ERR_CERT_REJECTED, X509_V_ERR_APPLICATION_VERIFICATION
    int X509_V_ERR_INVALID_CALL, X509_V_ERR_STORE_LOOKUP, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE

    # verification parameters
    int X509_VERIFY_PARAM_set1(X509_VERIFY_PARAM *to, const X509_VERIFY_PARAM *from_)
    int X509_VERIFY_PARAM_set_flags(X509_VERIFY_PARAM *param, unsigned long flags)
    int X509_VERIFY_PARAM_clear_flags(X509_VERIFY_PARAM *param, unsigned long flags)
    unsigned long X509_VERIFY_PARAM_get_flags(const X509_VERIFY_PARAM *param)
    void X509_VERIFY_PARAM_set_auth_level(X509_VERIFY_PARAM *param, int auth_level)
    int X509_VERIFY_PARAM_get_auth_level(const X509_VERIFY_PARAM *param)
    unsigned int X509_VERIFY_PARAM_get_hostflags(const X509_VERIFY_PARAM *param)
    void X509_VERIFY_PARAM_set_hostflags(X509_VERIFY_PARAM *param, unsigned int flags)
    char *X509_VERIFY_PARAM_get0_host(X509_VERIFY_PARAM *param, int idx)
    char *X509_VERIFY_PARAM_get1_ip_asc(X509_VERIFY_PARAM *param)
    unsigned long X509_V_FLAG_ALLOW_PROXY_CERTS, X509_V_FLAG_CHECK_SS_SIGNATURE, X509_V_FLAG_CRL_CHECK
    unsigned long X509_V_FLAG_CRL_CHECK_ALL, X509_V_FLAG_EXPLICIT_POLICY, X509_V_FLAG_IGNORE_CRITICAL
    unsigned long X509_V_FLAG_INHIBIT_ANY, X509_V_FLAG_INHIBIT_MAP, X509_V_FLAG_NO_CHECK_TIME
    unsigned long X509_V_FLAG_PARTIAL_CHAIN, X509_V_FLAG_X509_STRICT
    unsigned long X509_V_FLAG_TRUSTED_FIRST, X509_V_FLAG_POLICY_MASK, X509_V_FLAG_POLICY_CHECK
    unsigned int X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
    int X509_R_NO_CERTIFICATE_OR_CRL_FOUND
