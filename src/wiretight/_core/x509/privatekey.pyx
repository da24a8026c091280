"""Private keys, read from PEM and DER: PKCS#8, PKCS#1 and SEC 1, encrypted or not.

OpenSSL reads without the GIL, inside the gate that a fork closes (see mutex.h). What its decoders had in memory they
free without overwriting it.
"""

from wiretight._core.base.errors cimport forget_errors, queue_cause, raise_queue, ssl_error
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.openssl.bio cimport BIO, BIO_free
from wiretight._core.openssl.decoder cimport (
    EVP_PKEY_KEYPAIR, OSSL_DECODER_CTX, OSSL_DECODER_CTX_free, OSSL_DECODER_CTX_new_for_pkey,
    OSSL_DECODER_CTX_set_pem_password_cb, OSSL_DECODER_from_data,
)
from wiretight._core.openssl.err cimport ERR_LIB_SSL, ERR_PACK, ERR_R_PEM_LIB
from wiretight._core.openssl.evp cimport EVP_PKEY_free
from wiretight._core.openssl.pem cimport PEM_read_bio_PrivateKey
from wiretight._core.x509.octets cimport check_length, content_bio
from wiretight._core.x509.password cimport on_password, password_reason, raise_password_error


cdef EVP_PKEY *read_key(
    const unsigned char *content, Py_ssize_t length, Password password, object origin
) except NULL:
    """The first private key in PEM text.

    OpenSSL: PEM_read_bio_PrivateKey(3)
    """
    cdef BIO *bio = content_bio(content, length)
    cdef EVP_PKEY *key
    with nogil:
        wt_gate_enter(<void *>password)
        key = PEM_read_bio_PrivateKey(bio, NULL, on_password, <void *>password)
        BIO_free(bio)
        wt_gate_leave(<void *>password)
    if key == NULL:
        raise_password_error(password)
        raise_unreadable("private key", origin, password)
    return key


cdef EVP_PKEY *decode_key(Octets der, Password password, object origin) except NULL:
    """The private key in DER, and nothing behind it.

    OpenSSL: OSSL_DECODER_CTX_new_for_pkey(3), OSSL_DECODER_from_data(3)
    """
    cdef EVP_PKEY *key = NULL
    cdef const unsigned char *at = der.data
    cdef size_t left = der.length
    cdef OSSL_DECODER_CTX *decoder
    cdef bint decoded = False
    if left == 0:
        raise ValueError(f"{origin} is empty")
    check_length(der.length)
    forget_errors()
    with nogil:
        wt_gate_enter(<void *>password)
        decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "DER", NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL)
        if decoder != NULL and OSSL_DECODER_CTX_set_pem_password_cb(decoder, on_password, <void *>password):
            decoded = OSSL_DECODER_from_data(decoder, &at, &left)
        OSSL_DECODER_CTX_free(decoder)
        wt_gate_leave(<void *>password)
    if decoder == NULL:
        raise_queue()
    if decoded and left == 0:
        forget_errors()
        return key
    EVP_PKEY_free(key)
    raise_password_error(password)
    if decoded:
        raise ssl_error(0, 0, f"{origin} has {left} bytes after the private key")
    cause = queue_cause()
    reason = password_reason(password) or ": PKCS#8, PKCS#1 or SEC 1 was expected"
    raise ssl_error(0, 0, f"no private key in DER format could be read from {origin}{reason}") from cause


cdef int raise_unreadable(str wanted, object origin, Password password) except -1:
    """`ssl` has one error for a missing or broken entry and for a wrong password: [SSL] PEM lib.

    OpenSSL's own error becomes the cause.
    """
    cause = queue_cause()
    raise ssl_error(
        ERR_R_PEM_LIB, ERR_PACK(ERR_LIB_SSL, 0, ERR_R_PEM_LIB),
        f"PEM lib: no {wanted} could be read from {origin!r}{password_reason(password)}"
    ) from cause
