"""Certificate: one X509 as DER, as PEM and as the dictionary of getpeercert()."""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize

from wiretight._core.base.errors cimport check, check_memory, forget_errors, raise_queue
from wiretight._core.base.files cimport file_content
from wiretight._core.openssl.asn1 cimport (
    ASN1_INTEGER, ASN1_TIME, ASN1_TIME_print, NID_ad_OCSP, NID_ad_ca_issuers, i2a_ASN1_INTEGER,
)
from wiretight._core.openssl.bio cimport BIO, BIO_free
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.pem cimport PEM_write_bio_X509
from wiretight._core.openssl.x509 cimport (
    X509, X509_cmp, X509_free, X509_get0_notAfter, X509_get0_notBefore, X509_get_issuer_name,
    X509_get_serialNumber, X509_get_subject_name, X509_get_version, X509_subject_name_hash,
    X509_chain_up_ref, X509_up_ref, i2d_X509, sk_X509_num, sk_X509_value,
)
from wiretight._core.x509.names cimport (
    access_addresses, alternative_names, crl_addresses, distinguished_name, memory, one_line, written,
)
from wiretight._core.x509.pem cimport read_certificate

from operator import index

from wiretight._standard.errors import SSLError

# The numbers of `_ssl.ENCODING_PEM` and `_ssl.ENCODING_DER`, which programs pass to public_bytes().
ENCODING_PEM = 1
ENCODING_DER = 2

# Used by adopt_certificate() only, so that Python code cannot create a Certificate without an X509.
cdef object FROM_OPENSSL = object()


@cython.final
cdef class Certificate:
    """An X.509 certificate that the peer sent or that the chain was built with. Programs cannot create one.

    Two are equal if their DER encodings are equal, whatever their connections.

    Since 0.1. Source: `ssl.SSLObject._sslobj.get_unverified_chain()` of the standard library; RFC 5280.
    """

    def __cinit__(self, origin=None):
        if origin is not FROM_OPENSSL:
            raise TypeError(f"cannot create '{type(self).__module__}.{type(self).__name__}' instances")

    def __dealloc__(self):
        X509_free(self.x509)

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __repr__(self):
        return f"<{type(self).__name__} {one_line(X509_get_subject_name(self.x509))!r}>"

    def __hash__(self):
        return X509_subject_name_hash(self.x509)

    def __eq__(self, other):
        if not isinstance(other, Certificate):
            return NotImplemented
        return X509_cmp(self.x509, (<Certificate>other).x509) == 0

    def public_bytes(self, format=ENCODING_PEM):
        """The certificate as PEM (str) for ENCODING_PEM, or as DER (bytes) for ENCODING_DER.

        Raises ValueError for any other format. Since 0.1.

        OpenSSL: PEM_write_bio_X509(3), i2d_X509(3)
        """
        cdef int number = index(format)
        if number == ENCODING_DER:
            return der(self.x509)
        if number == ENCODING_PEM:
            return pem(self.x509)
        raise ValueError("Unsupported format")

    def get_info(self):
        """The dictionary that getpeercert() returns for this certificate. Since 0.1.

        OpenSSL: X509_get_subject_name(3)
        """
        return decoded(self.x509)


cdef Certificate adopt_certificate(X509 *x509):
    cdef Certificate certificate = Certificate.__new__(Certificate, FROM_OPENSSL)
    certificate.x509 = x509
    return certificate


cdef Certificate share_certificate(X509 *x509):
    X509_up_ref(x509)
    return adopt_certificate(x509)


cdef list chain_of(const Chain *chain):
    cdef list certificates = []
    cdef int i
    if chain.is_starved:
        raise MemoryError
    if chain.certificates != NULL:
        for i in range(sk_X509_num(chain.certificates)):
            certificates.append(share_certificate(sk_X509_value(chain.certificates, i)))
    return certificates


cdef X509 *owned(X509 *certificate) noexcept nogil:
    if certificate != NULL:
        X509_up_ref(certificate)
    return certificate


cdef Chain owned_chain(stack_st_X509 *chain) noexcept nogil:
    """OpenSSL: X509_chain_up_ref(3)"""
    cdef Chain owned
    owned.certificates = NULL if chain == NULL else X509_chain_up_ref(chain)
    owned.is_starved = chain != NULL and owned.certificates == NULL
    if owned.is_starved:
        forget_errors()
    return owned


cdef bytes der(X509 *x509):
    """OpenSSL: i2d_X509(3)"""
    cdef unsigned char *encoding = NULL
    cdef int length = i2d_X509(x509, &encoding)
    check(length)
    try:
        return PyBytes_FromStringAndSize(<char *>encoding, length)
    finally:
        OPENSSL_free(encoding)


cdef str pem(X509 *x509):
    """OpenSSL: PEM_write_bio_X509(3)"""
    cdef BIO *bio = memory()
    try:
        check(PEM_write_bio_X509(bio, x509))
        return written(bio)
    finally:
        BIO_free(bio)


# --- the dictionary of getpeercert() ---------------------------------------------------------------------------------
cdef dict decoded(X509 *x509):
    """OpenSSL: X509_get_subject_name(3), X509_get0_notBefore(3), X509_get_ext_d2i(3)"""
    ERR_clear_error()
    cdef dict info = {
        "subject": distinguished_name(X509_get_subject_name(x509)),
        "issuer": distinguished_name(X509_get_issuer_name(x509)),
        "version": X509_get_version(x509) + 1,
        "serialNumber": serial(X509_get_serialNumber(x509)),
        "notBefore": time(X509_get0_notBefore(x509)),
        "notAfter": time(X509_get0_notAfter(x509)),
    }
    for key, value in (
        ("subjectAltName", alternative_names(x509)),
        ("OCSP", access_addresses(x509, NID_ad_OCSP)),
        ("caIssuers", access_addresses(x509, NID_ad_ca_issuers)),
        ("crlDistributionPoints", crl_addresses(x509)),
    ):
        if value is not None:
            info[key] = value
    check_memory()
    return info


cdef str serial(const ASN1_INTEGER *number):
    cdef BIO *bio = memory()
    try:
        if i2a_ASN1_INTEGER(bio, number) < 0:
            raise_queue()
        return written(bio)
    finally:
        BIO_free(bio)


cdef str time(const ASN1_TIME *moment):
    cdef BIO *bio = memory()
    try:
        ASN1_TIME_print(bio, moment)    # prints "Bad time value" for what is none, as `ssl` shows it
        check_memory()
        return written(bio)
    finally:
        BIO_free(bio)


def test_decode_cert(path, /):
    """What getpeercert() would return for the first certificate of a PEM file.

    Raises SSLError if the file has none or cannot be opened. Since 0.1. Source: `_ssl._test_decode_cert` of the
    standard library, with which servers read their own certificate.

    OpenSSL: PEM_read_bio_X509(3)
    """
    cdef bytes content
    cdef X509 *x509
    try:
        content = file_content(path, None)
    except OSError as error:
        raise SSLError("Can't open file") from error
    x509 = read_certificate(content)
    try:
        return decoded(x509)
    finally:
        X509_free(x509)
