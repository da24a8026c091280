"""openssl/err.h: declarations only, in the order of the manual pages."""

cdef extern from "openssl/err.h" nogil:
    unsigned long ERR_get_error()
    unsigned long ERR_get_error_all(const char **file, int *line, const char **func, const char **data, int *flags)
    unsigned long ERR_peek_error()
    unsigned long ERR_peek_last_error()
    void ERR_clear_error()
    void ERR_raise(int lib, int reason)
    int ERR_set_mark()
    int ERR_pop_to_mark()
    unsigned long ERR_PACK(int lib, int func, int reason)
    int ERR_GET_LIB(unsigned long e)
    int ERR_GET_REASON(unsigned long e)
    const char *ERR_reason_error_string(unsigned long e)
    bint ERR_SYSTEM_ERROR(unsigned long e)
    int ERR_LIB_SYS, ERR_LIB_SSL, ERR_LIB_X509, ERR_LIB_PEM, ERR_LIB_ASN1, ERR_LIB_PKCS12
    int ERR_R_PEM_LIB, ERR_R_MALLOC_FAILURE, ERR_R_NESTED_ASN1_ERROR, ERR_R_UNSUPPORTED, ERR_RFLAG_COMMON
