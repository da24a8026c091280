"""PKCS#12: a private key, its certificate and others, in one encrypted piece of data (RFC 7292)."""

from libc.string cimport memchr

from wiretight._core.base.errors cimport check_decoder_memory, forget_errors, queue_cause, reason_text, ssl_error
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.openssl.bio cimport BIO, BIO_eof, BIO_free
from wiretight._core.openssl.crypto cimport OPENSSL_cleanse
from wiretight._core.openssl.err cimport ERR_GET_LIB, ERR_GET_REASON, ERR_LIB_PKCS12, ERR_R_UNSUPPORTED, ERR_peek_error
from wiretight._core.openssl.evp cimport EVP_PKEY, EVP_PKEY_free
from wiretight._core.openssl.pkcs12 cimport (
    PKCS12, PKCS12_R_MAC_VERIFY_FAILURE, PKCS12_free, PKCS12_parse, d2i_PKCS12_bio,
)
from wiretight._core.openssl.x509 cimport (
    X509, X509_V_OK, X509_check_issued, X509_free, X509_get0_pubkey, X509_verify, sk_X509_delete, sk_X509_new_null,
    sk_X509_num, sk_X509_pop_free, sk_X509_push, sk_X509_value, stack_st_X509,
)
from wiretight._core.x509.password cimport ask_password, raise_password_error

cdef enum:
    LONGEST_PASSWORD = 1024     # as of an encrypted key: PEM_BUFSIZE


cdef int read_pkcs12(Octets data, Password password, Bundle *bundle) except -1:
    """OpenSSL: d2i_PKCS12_bio(3)"""
    cdef PKCS12 *pkcs12
    cdef bint is_whole
    cdef BIO *bio
    if data.length == 0:
        raise ValueError("data is empty")
    bio = data.bio()
    with nogil:
        wt_gate_enter(<void *>data)
        forget_errors()
        pkcs12 = d2i_PKCS12_bio(bio, NULL)
        is_whole = BIO_eof(bio)
        BIO_free(bio)
        wt_gate_leave(<void *>data)
    if pkcs12 == NULL:
        check_decoder_memory()
        raise ssl_error(0, 0, "data is not in PKCS#12 format")
    try:
        if not is_whole:
            raise ssl_error(0, 0, "data has bytes after the PKCS#12 structure")
        return decrypt(pkcs12, password, bundle)
    finally:
        PKCS12_free(pkcs12)


cdef int decrypt(PKCS12 *pkcs12, Password password, Bundle *bundle) except -1:
    cdef char secret[LONGEST_PASSWORD + 1]
    cdef char *given = NULL
    cdef int length = 0
    cdef EVP_PKEY *key = NULL
    cdef X509 *leaf = NULL
    cdef X509 *first
    cdef stack_st_X509 *others = NULL
    cdef bint is_open = False
    try:
        if callable(password.source):       # and not called if it is not needed
            is_open = parse(pkcs12, NULL, &key, &leaf, &others)
        if not is_open and password.source is not None:
            length = ask_password(secret, LONGEST_PASSWORD, password)
            raise_password_error(password)
            if memchr(secret, 0, length) != NULL:
                raise ValueError("password contains a null character, which PKCS#12 does not allow")
            secret[length] = 0
            given = secret
        is_open = is_open or parse(pkcs12, given, &key, &leaf, &others)
    finally:
        OPENSSL_cleanse(secret, sizeof(secret))
    if not is_open:
        raise_closed(password)
    forget_errors()
    try:
        if key == NULL:
            raise ssl_error(0, 0, "the PKCS#12 data has no private key")
        if leaf == NULL:
            raise ssl_error(0, 0, "the PKCS#12 data has no certificate for its private key")
        first, leaf = leaf, NULL
        bundle.chain = chain_from(first, others)
        bundle.key, key = key, NULL
    finally:
        EVP_PKEY_free(key)
        X509_free(leaf)
        sk_X509_pop_free(others, X509_free)
    return 0


cdef bint parse(
    PKCS12 *pkcs12, const char *secret, EVP_PKEY **key, X509 **leaf, stack_st_X509 **others
) noexcept:
    """OpenSSL: PKCS12_parse(3)"""
    cdef bint is_open
    forget_errors()
    with nogil:
        wt_gate_enter(pkcs12)
        is_open = PKCS12_parse(pkcs12, secret, key, leaf, others)
        wt_gate_leave(pkcs12)
    return is_open


cdef int raise_closed(Password password) except -1:
    """OpenSSL's own error becomes the cause."""
    cdef unsigned long first = ERR_peek_error()
    if ERR_GET_REASON(first) == ERR_R_UNSUPPORTED:
        reason = (
            "it is encrypted with an algorithm such as RC2, which needs OpenSSL's legacy provider; "
            "from_pem() reads what `openssl pkcs12 -legacy -nodes` makes of it"
        )
    elif ERR_GET_LIB(first) == ERR_LIB_PKCS12 and ERR_GET_REASON(first) == PKCS12_R_MAC_VERIFY_FAILURE:
        reason = "the password is wrong" if password.was_given else "it is encrypted, and no password was given"
    else:
        reason = reason_text(first)
    cause = queue_cause()
    raise ssl_error(0, 0, f"the PKCS#12 data could not be read: {reason}") from cause


cdef stack_st_X509 *chain_from(X509 *leaf, stack_st_X509 *others) except NULL:
    """The certificate, of which it takes the reference, and its issuers, which it takes out of `others`, in the order
    of TLS. The data has them in any order, and maybe some that do not belong to it.

    OpenSSL: X509_check_issued(3)
    """
    cdef stack_st_X509 *chain = sk_X509_new_null()
    cdef X509 *last = leaf
    cdef bint complete = chain != NULL
    while complete and last != NULL:
        complete = sk_X509_push(chain, last) > 0
        if complete:
            last = NULL if X509_check_issued(last, last) == X509_V_OK else issuer_in(others, last)
    if not complete:
        X509_free(last)
        sk_X509_pop_free(chain, X509_free)
        forget_errors()
        raise MemoryError
    forget_errors()
    return chain


cdef X509 *issuer_in(stack_st_X509 *others, X509 *certificate) noexcept:
    """Taken out of the list; NULL for none. Of several with the same name, maybe the keys of years, the one that signed
    it; or the first, if this OpenSSL cannot tell.

    OpenSSL: X509_verify(3)
    """
    cdef X509 *other
    cdef EVP_PKEY *key
    cdef int found = -1
    cdef int i
    for i in range(sk_X509_num(others)):
        other = sk_X509_value(others, i)
        if X509_check_issued(other, certificate) != X509_V_OK:
            continue
        key = X509_get0_pubkey(other)
        if key != NULL and X509_verify(certificate, key) > 0:
            found = i
            break
        if found < 0:
            found = i
    return NULL if found < 0 else sk_X509_delete(others, found)
