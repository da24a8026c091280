"""openssl/bio.h: declarations only, in the order of the manual pages."""

cdef extern from "openssl/bio.h" nogil:
    ctypedef struct BIO:
        pass
    ctypedef struct BIO_METHOD:
        pass
    int BIO_TYPE_SOURCE_SINK, BIO_CTRL_FLUSH, BIO_CTRL_EOF, BIO_CTRL_PENDING, BIO_CTRL_WPENDING
    int BIO_get_new_index()
    BIO_METHOD *BIO_meth_new(int type, const char *name)
    int BIO_meth_set_write(BIO_METHOD *biom, int (*write)(BIO *, const char *, int) noexcept)
    int BIO_meth_set_read(BIO_METHOD *biom, int (*read)(BIO *, char *, int) noexcept)
    int BIO_meth_set_ctrl(BIO_METHOD *biom, long (*ctrl)(BIO *, int, long, void *) noexcept)
    BIO *BIO_new(const BIO_METHOD *type)
    int BIO_free(BIO *a)
    int BIO_up_ref(BIO *a)
    void BIO_set_data(BIO *a, void *ptr)
    void *BIO_get_data(BIO *a)
    void BIO_set_init(BIO *a, int init)
    void BIO_set_retry_read(BIO *b)
    void BIO_set_retry_write(BIO *b)
    void BIO_clear_retry_flags(BIO *b)
    const BIO_METHOD *BIO_s_mem()
    BIO *BIO_new_mem_buf(const void *buf, int len)
    BIO *BIO_new_file(const char *filename, const char *mode)
    long BIO_get_mem_data(BIO *b, char **pp)
    int BIO_gets(BIO *b, char *buf, int size)
    int BIO_eof(BIO *b)
