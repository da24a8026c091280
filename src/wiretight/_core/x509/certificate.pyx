"""Certificate: one X509, and its DER, PEM and dictionary of getpeercert()."""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.time cimport tm

from wiretight._core.base.errors cimport check, check_memory, forget_errors, raise_queue
from wiretight._core.base.files cimport file_content
from wiretight._core.base.text cimport exact_text
from wiretight._core.openssl.asn1 cimport (
    ASN1_INTEGER, ASN1_STRING, ASN1_STRING_get0_data, ASN1_STRING_length, ASN1_STRING_type, ASN1_TIME, ASN1_TIME_print,
    ASN1_TIME_to_tm, NID_ad_OCSP, NID_ad_ca_issuers, V_ASN1_NEG_INTEGER, i2a_ASN1_INTEGER,
)
from wiretight._core.openssl.bio cimport BIO, BIO_free
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.evp cimport EVP_PKEY, EVP_PKEY_get0_type_name, EVP_PKEY_get_bits, SHA256_DIGEST_LENGTH
from wiretight._core.openssl.pem cimport PEM_write_bio_X509
from wiretight._core.openssl.x509 cimport (
    X509, X509_chain_up_ref, X509_free, X509_get0_notAfter, X509_get0_notBefore, X509_get0_pubkey, X509_get0_tbs_sigalg,
    X509_get_issuer_name, X509_get_serialNumber, X509_get_subject_name, X509_get_version, X509_up_ref, i2d_X509,
    sk_X509_num, sk_X509_pop_free, sk_X509_shift, sk_X509_value, stack_st_X509,
)
from wiretight._core.x509.digests cimport digest_key, fingerprint
from wiretight._core.x509.names cimport (
    access_addresses, alternative_names, crl_addresses, distinguished_name, memory, object_text, one_line,
    written,
)
from wiretight._core.x509.pem cimport parse_der, parse_pem, read_certificate

from operator import index

from wiretight._standard.errors import SSLError

# The numbers of `_ssl.ENCODING_PEM` and `_ssl.ENCODING_DER`, which programs pass to public_bytes().
ENCODING_PEM = 1
ENCODING_DER = 2

# Used by adopt_certificate() only, so that Python code cannot create a Certificate without an X509.
cdef object FROM_OPENSSL = object()


@cython.final
cdef class Certificate:
    """An X.509 certificate, which never changes: of a peer, of a chain, of a trust store, or read by from_pem() or
    from_der().

    Two are equal if their DER encodings are equal. It can be pickled, so that an exception with certificates passes
    from one process to another.

    Since 0.1. Source: RFC 5280; `_ssl.Certificate` of the standard library, which has public_bytes() and get_info().
    """

    def __cinit__(self, origin=None):
        if origin is not FROM_OPENSSL:
            kind = f"{type(self).__module__}.{type(self).__name__}"
            raise TypeError(f"cannot create '{kind}' instances: use Certificate.from_pem() or from_der()")

    def __dealloc__(self):
        X509_free(self.x509)

    @classmethod
    def from_pem(cls, data, /):
        """The only certificate in PEM text, str or bytes-like. What is no certificate, such as its key, is passed over.

        Raises ValueError if there are several, SSLError if there is none or it cannot be decoded, TypeError for
        another type. Since 0.1. Source: RFC 7468, section 5.

        OpenSSL: PEM_read_bio_X509(3)
        """
        return only(parse_pem(data, "data"))

    @classmethod
    def from_der(cls, data, /):
        """The certificate whose DER encoding is `data`, bytes-like.

        Raises SSLError if it cannot be decoded, ValueError if there is more than one, TypeError for another type.
        Since 0.1. Source: RFC 5280, section 4.1.

        OpenSSL: d2i_X509(3)
        """
        return only(parse_der(data, "data"))

    def __reduce__(self):
        return Certificate.from_der, (der(self.x509),)

    def __repr__(self):
        return f"<{type(self).__name__} {one_line(X509_get_subject_name(self.x509))!r}>"

    def __hash__(self):
        return hash(der(self.x509))

    def __eq__(self, other):
        if not isinstance(other, Certificate):
            return NotImplemented
        return der(self.x509) == der((<Certificate>other).x509)

    # --- What it says -------------------------------------------------------------------------------------------------

    @property
    def subject(self):
        """The name of its owner, as in getpeercert(): a tuple of parts, each a tuple of (type, value) pairs.

        Since 0.1. Source: RFC 5280, section 4.1.2.6.

        OpenSSL: X509_get_subject_name(3)
        """
        return distinguished_name(X509_get_subject_name(self.x509))

    @property
    def issuer(self):
        """The name of the CA that signed it, in the form of `subject`. Since 0.1. Source: RFC 5280, section 4.1.2.4.

        OpenSSL: X509_get_issuer_name(3)
        """
        return distinguished_name(X509_get_issuer_name(self.x509))

    @property
    def serial_number(self):
        """The number that its issuer gave it, an int. Since 0.1. Source: RFC 5280, section 4.1.2.2.

        OpenSSL: X509_get0_serialNumber(3)
        """
        return number(X509_get_serialNumber(self.x509))

    @property
    def not_before(self):
        """Since when it is valid, a datetime in UTC. Raises ValueError for a date that is none. Since 0.1.

        Source: RFC 5280, section 4.1.2.5. OpenSSL: X509_get0_notBefore(3)
        """
        return moment(X509_get0_notBefore(self.x509))

    @property
    def not_after(self):
        """Until when it is valid, a datetime in UTC. Raises ValueError for a date that is none. Since 0.1.

        Source: RFC 5280, section 4.1.2.5. OpenSSL: X509_get0_notAfter(3)
        """
        return moment(X509_get0_notAfter(self.x509))

    @property
    def alternative_names(self):
        """Whom it is for: a list of (kind, name) pairs as in getpeercert(), such as ("DNS", "example.org").

        Empty without the extension, and for one that cannot be decoded. Since 0.1.
        Source: RFC 5280, section 4.2.1.6. OpenSSL: X509_get_ext_d2i(3)
        """
        forget_errors()
        names = alternative_names(self.x509)
        forget_errors()
        return list(names or ())

    @property
    def key_type(self):
        """OpenSSL's name for the kind of its public key, such as "RSA", "EC", "ED25519" or "ML-DSA-65"; None for a kind
        that this OpenSSL does not know. Since 0.1. Source: RFC 5280, section 4.1.2.7.

        OpenSSL: EVP_PKEY_get0_type_name(3)
        """
        cdef EVP_PKEY *key = public_key(self.x509)
        return None if key == NULL else EVP_PKEY_get0_type_name(key).decode("ascii")

    @property
    def key_bits(self):
        """The size of its public key (bits), such as 2048 or 256; None where `key_type` is. Since 0.1.

        OpenSSL: EVP_PKEY_get_bits(3)
        """
        cdef EVP_PKEY *key = public_key(self.x509)
        return None if key == NULL else EVP_PKEY_get_bits(key)

    @property
    def signature_algorithm(self):
        """What its issuer signed it with: OpenSSL's long name, such as "ecdsa-with-SHA256", or "1.2.3" if it has none.

        Since 0.1. Source: RFC 5280, section 4.1.2.3.

        OpenSSL: X509_get0_tbs_sigalg(3)
        """
        return object_text(X509_get0_tbs_sigalg(self.x509).algorithm, False)

    # --- Its encodings and digests ------------------------------------------------------------------------------------

    def der(self):
        """Its DER encoding (bytes). Since 0.1. Source: RFC 5280, section 4.1.

        OpenSSL: i2d_X509(3)
        """
        return der(self.x509)

    def pem(self):
        """Its PEM text (str), with a newline at the end. Since 0.1. Source: RFC 7468, section 5.

        OpenSSL: PEM_write_bio_X509(3)
        """
        return pem(self.x509)

    def fingerprint(self, name="sha256"):
        """The digest of its DER encoding (bytes); `name` is OpenSSL's for the hash function.

        Raises ValueError if OpenSSL has no such function. Since 0.1.

        OpenSSL: X509_digest(3)
        """
        return fingerprint(self.x509, exact_text(name, "name"))

    @property
    def spki_sha256(self):
        """The SHA-256 digest of its public key (SubjectPublicKeyInfo), 32 bytes: what a pin of a key is compared with.

        A certificate that is renewed with the same key keeps it. Since 0.1. Source: RFC 7469, section 2.4.

        OpenSSL: i2d_X509_PUBKEY(3)
        """
        cdef unsigned char digest[SHA256_DIGEST_LENGTH]
        if not digest_key(self.x509, digest):
            raise MemoryError
        return <bytes>digest[:SHA256_DIGEST_LENGTH]

    def to_cryptography(self):
        """The same certificate as a `cryptography.x509.Certificate`.

        Raises ImportError without that package, ValueError for what it refuses to read. Since 0.1.
        Source: `cryptography.x509.load_der_x509_certificate`.
        """
        from cryptography.x509 import load_der_x509_certificate

        return load_der_x509_certificate(der(self.x509))

    # --- As `_ssl` has them -------------------------------------------------------------------------------------------

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


cdef EVP_PKEY *public_key(X509 *x509):
    """OpenSSL: X509_get0_pubkey(3)"""
    cdef EVP_PKEY *key
    forget_errors()
    key = X509_get0_pubkey(x509)
    forget_errors()
    return key


cdef Certificate adopt_certificate(X509 *x509):
    cdef Certificate certificate = Certificate.__new__(Certificate, FROM_OPENSSL)
    certificate.x509 = x509
    return certificate


cdef Certificate share_certificate(X509 *x509):
    X509_up_ref(x509)
    return adopt_certificate(x509)


cdef Certificate only(stack_st_X509 *certificates):
    """The certificate of a list of one, which it frees."""
    cdef int count = sk_X509_num(certificates)
    cdef X509 *x509 = sk_X509_shift(certificates)
    sk_X509_pop_free(certificates, X509_free)
    if count == 1:
        return adopt_certificate(x509)
    X509_free(x509)
    raise ValueError(f"data has {count} certificates, but must have one: pass each of them by itself")


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


# --- numbers and dates ------------------------------------------------------------------------------------------------
cdef object number(const ASN1_INTEGER *integer):
    cdef const ASN1_STRING *octets = <const ASN1_STRING *>integer
    magnitude = int.from_bytes(<bytes>ASN1_STRING_get0_data(octets)[:ASN1_STRING_length(octets)], "big")
    return -magnitude if ASN1_STRING_type(octets) == V_ASN1_NEG_INTEGER else magnitude


cdef object moment(const ASN1_TIME *when):
    """OpenSSL: ASN1_TIME_to_tm(3)"""
    from datetime import datetime, timezone     # here, because few programs need it

    cdef tm parts
    forget_errors()
    if not ASN1_TIME_to_tm(when, &parts):
        check_memory()
        raise ValueError("the certificate has a date that is none")
    return datetime(
        parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
        tzinfo=timezone.utc,
    )


# --- the dictionary of getpeercert() ---------------------------------------------------------------------------------
cdef dict decoded(X509 *x509):
    """OpenSSL: X509_get_subject_name(3), X509_get0_notBefore(3), X509_get_ext_d2i(3)"""
    forget_errors()
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
