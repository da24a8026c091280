"""The dates of CRLs: until when the lists that a context verifies with are of use."""

from libc.time cimport time_t, tm

from wiretight._core.base.errors cimport forget_errors
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.context.context cimport Context
from wiretight._core.context.reloading cimport present_settings
from wiretight._core.context.settings cimport Trust
from wiretight._core.openssl.asn1 cimport ASN1_TIME, ASN1_TIME_to_tm
from wiretight._core.openssl.evp cimport EVP_sha256, SHA256_DIGEST_LENGTH
from wiretight._core.openssl.x509 cimport (
    X509_CRL, X509_CRL_free, X509_CRL_get0_nextUpdate, X509_CRL_get_issuer, X509_CRL_up_ref, X509_LU_CRL,
    X509_NAME_digest, X509_OBJECT_get0_X509_CRL, X509_OBJECT_get_type, X509_STORE, X509_STORE_get0_objects,
    X509_STORE_lock, X509_STORE_unlock, sk_X509_CRL_new_null, sk_X509_CRL_num, sk_X509_CRL_pop_free, sk_X509_CRL_push,
    sk_X509_CRL_value, sk_X509_OBJECT_num, sk_X509_OBJECT_value, stack_st_X509_CRL, stack_st_X509_OBJECT,
)

cdef extern from "<time.h>" nogil:
    time_t timegm(tm *parts)


def crls_expire(Context context not None, /):
    """When the first of its issuers has no list any more that is of use, in seconds since 1970; None without a list.

    Of an issuer's lists, the newest counts; one without an end counts as none. Since 0.1.
    OpenSSL: X509_CRL_get0_nextUpdate(3)
    """
    cdef Trust trust = present_settings(context).trust
    cdef X509_STORE *store = trust.store
    cdef stack_st_X509_CRL *crls
    cdef dict ends = {}
    with nogil:
        wt_gate_enter(store)
        crls = crls_in(store)
        wt_gate_leave(store)
    if crls == NULL:
        raise MemoryError
    try:
        for i in range(sk_X509_CRL_num(crls)):
            issuer, end = issuer_and_end(sk_X509_CRL_value(crls, i))
            if end is not None:
                ends[issuer] = max(end, ends.get(issuer, end))
    finally:
        sk_X509_CRL_pop_free(crls, X509_CRL_free)
    return min(ends.values(), default=None)


cdef stack_st_X509_CRL *crls_in(X509_STORE *store) noexcept nogil:
    """NULL: no memory. OpenSSL: X509_STORE_get0_objects(3)"""
    cdef stack_st_X509_CRL *crls = sk_X509_CRL_new_null()
    cdef stack_st_X509_OBJECT *objects
    cdef X509_CRL *crl
    cdef int i
    if crls == NULL:
        return NULL
    X509_STORE_lock(store)
    objects = X509_STORE_get0_objects(store)
    for i in range(sk_X509_OBJECT_num(objects)):
        if X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL:
            crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i))
            if sk_X509_CRL_push(crls, crl) > 0:
                X509_CRL_up_ref(crl)
    X509_STORE_unlock(store)
    return crls


cdef tuple issuer_and_end(X509_CRL *crl):
    """(a digest of its issuer's name, seconds since 1970, or None). OpenSSL: ASN1_TIME_to_tm(3)"""
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    cdef unsigned int length = 0
    cdef const ASN1_TIME *end = X509_CRL_get0_nextUpdate(crl)
    cdef tm parts
    forget_errors()
    X509_NAME_digest(X509_CRL_get_issuer(crl), EVP_sha256(), digest, &length)
    known = end != NULL and ASN1_TIME_to_tm(end, &parts)
    forget_errors()
    return digest[:length], timegm(&parts) if known else None
