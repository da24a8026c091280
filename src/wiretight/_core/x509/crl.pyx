"""CRL: lists of revoked certificates (RFC 5280, 5), read from PEM or DER.

OpenSSL reads without the GIL, inside the gate that a fork closes (see mutex.h): a list may have a million entries.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize

from wiretight._core.base.errors cimport check, forget_errors, queue_exception, ssl_error
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.openssl.bio cimport BIO, BIO_eof, BIO_free
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport ERR_LIB_PEM, ERR_PACK, ERR_peek_last_error
from wiretight._core.openssl.pem cimport PEM_R_NO_START_LINE, PEM_read_bio_X509_CRL
from wiretight._core.openssl.x509 cimport (
    X509_CRL, X509_CRL_free, d2i_X509_CRL_bio, i2d_X509_CRL, sk_X509_CRL_new_null, sk_X509_CRL_num,
    sk_X509_CRL_pop_free, sk_X509_CRL_push,
)
from wiretight._core.x509.octets cimport Octets, octets_of_text
from wiretight._core.x509.password cimport no_password
from wiretight._core.x509.pem cimport at_end_of_pem


cdef stack_st_X509_CRL *parse_crls(object data, str argument) except NULL:
    """In PEM text other blocks are passed over; DER may be several lists, one after the other."""
    cdef Octets octets = octets_of_text(data, argument, "a string or a bytes-like object")
    cdef bint is_der = octets.is_der()
    cdef stack_st_X509_CRL *crls
    cdef BIO *bio
    cdef bint complete
    if octets.length == 0:
        raise ValueError("Empty CRL data")
    bio = octets.bio()
    with nogil:
        wt_gate_enter(<void *>octets)
        crls = sk_X509_CRL_new_null()
        forget_errors()
        complete = crls != NULL and (append_der(crls, bio) if is_der else append_pem(crls, bio))
        BIO_free(bio)
        wt_gate_leave(<void *>octets)
    if complete and sk_X509_CRL_num(crls):
        forget_errors()
        return crls
    error = reason_of(sk_X509_CRL_num(crls), is_der, argument)
    sk_X509_CRL_pop_free(crls, X509_CRL_free)
    raise error


cdef object reason_of(int count, bint is_der, str argument):
    """Why reading ended, after so many lists."""
    if count and not is_der and not ERR_peek_last_error():
        # An empty block, or OpenSSL had no memory to say so.
        return ssl_error(
            PEM_R_NO_START_LINE, ERR_PACK(ERR_LIB_PEM, 0, PEM_R_NO_START_LINE),
            f"no start line: {argument} has an empty block",
        )
    error = queue_exception()
    if count == 0 and not isinstance(error, MemoryError):
        reason = "not enough data" if is_der else "no start line"
        return ssl_error(0, 0, f"{reason}: {argument} does not contain a CRL")
    return error


cdef bint append_pem(stack_st_X509_CRL *crls, BIO *bio) noexcept nogil:
    """OpenSSL: PEM_read_bio_X509_CRL(3)"""
    cdef X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, no_password, NULL)
    while crl != NULL:
        if not append(crls, crl):
            return False
        crl = PEM_read_bio_X509_CRL(bio, NULL, no_password, NULL)
    return at_end_of_pem()


cdef bint append_der(stack_st_X509_CRL *crls, BIO *bio) noexcept nogil:
    """OpenSSL: d2i_X509_CRL_bio(3)"""
    cdef X509_CRL *crl
    while True:
        crl = d2i_X509_CRL_bio(bio, NULL)
        if crl == NULL or not append(crls, crl):
            return False
        if BIO_eof(bio):
            return True


cdef bint append(stack_st_X509_CRL *crls, X509_CRL *crl) noexcept nogil:
    """Takes ownership of the reference."""
    if sk_X509_CRL_push(crls, crl) > 0:
        return True
    X509_CRL_free(crl)
    return False


cdef bytes der_of_crl(X509_CRL *crl):
    """OpenSSL: i2d_X509_CRL(3)"""
    cdef unsigned char *encoding = NULL
    cdef int length = i2d_X509_CRL(crl, &encoding)
    check(length)
    try:
        return PyBytes_FromStringAndSize(<char *>encoding, length)
    finally:
        OPENSSL_free(encoding)
