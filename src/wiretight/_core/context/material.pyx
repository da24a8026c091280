"""Credential: a certificate chain and its private key, from the memory of a program.

Keys are read where they are. The few copies that are made of one are overwritten before they are freed; what OpenSSL's
decoders had in memory, they free as it is.
"""

cimport cython
from cpython.object cimport PyObject

from wiretight._core.base.errors cimport forget_errors, queue_cause, raise_queue, ssl_error
from wiretight._core.openssl.asn1 cimport ASN1_OBJECT
from wiretight._core.openssl.evp cimport EVP_PKEY_free, EVP_PKEY_get0_type_name
from wiretight._core.openssl.x509 cimport (
    X509_PUBKEY_get0_param, X509_check_private_key, X509_free, X509_get0_pubkey, X509_get_X509_PUBKEY,
    X509_get_subject_name, sk_X509_new_null, sk_X509_num, sk_X509_pop_free, sk_X509_push, sk_X509_shift, sk_X509_value,
)
from wiretight._core.x509.certificate cimport share_certificate
from wiretight._core.x509.foreign cimport certificate_der, key_der
from wiretight._core.x509.names cimport object_text, one_line
from wiretight._core.x509.octets cimport Octets, octets_of, octets_of_text, wipe
from wiretight._core.x509.password cimport Password, any_password
from wiretight._core.x509.pem cimport parse_der, parse_pem
from wiretight._core.x509.pkcs12 cimport Bundle, read_pkcs12
from wiretight._core.x509.privatekey cimport decode_key, read_key

from wiretight._core.base.tables import FEATURES, OPENSSL_VERSION

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *o)

# Keys that only newer versions of OpenSSL know (FIPS 204): their identifiers, which older ones have no names for.
cdef dict NEWER_KEYS = {
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

# So that Python code cannot create a Credential without a key.
cdef object FROM_HERE = object()

cdef str TEXT = "a string or a bytes-like object in PEM format"
cdef str DER = "a bytes-like object in DER format"


@cython.final
cdef class Credential:
    """A certificate chain and its private key, which never change, for any number of contexts and threads.

    Made by from_pem(), from_der(), from_pkcs12() or from_objects(), never through a file. It gives away its
    certificates, but not its key, and cannot be pickled; copy.copy() returns itself. Passwords are a str (in UTF-8) or
    bytes-like, at most 1,024 bytes, or a callable that returns one and is called when it is needed.

    Each way to make one raises TypeError for an argument of another type; ValueError for an empty one; SSLError for
    what cannot be decoded, a wrong or missing password, and a key that does not belong to the first certificate;
    NotImplementedError for a kind of key that only a newer OpenSSL knows; and whatever the callable raises. Nothing
    prompts at the terminal.

    Since 0.1. Source: an addition to `ssl`; python/cpython#129216.
    """

    def __cinit__(self, origin=None):
        if origin is not FROM_HERE:
            raise TypeError(
                "cannot create Credential instances: use Credential.from_pem(), from_der(), from_pkcs12() or "
                "from_objects()"
            )

    def __dealloc__(self):
        X509_free(self.leaf)
        EVP_PKEY_free(self.key)
        sk_X509_pop_free(self.chain, X509_free)

    def __reduce__(self):
        raise TypeError("a Credential holds a private key, and cannot be pickled: make it in each process")

    def __copy__(self):
        return self

    def __deepcopy__(self, _):
        return self

    def __repr__(self):
        return f"<Credential {self.key_type} {one_line(X509_get_subject_name(self.leaf))!r}>"

    @classmethod
    def from_pem(cls, certificates, key=None, *, password=None):
        """From PEM text: the certificate, then those that lead to its CA; and its key, in the same text or in another.

        `certificates` and `key` are the text itself, str or bytes-like, and no path. The key is in PKCS#8, PKCS#1 or
        SEC 1, encrypted or not; other blocks and text are passed over. Since 0.1. Source: RFC 7468; RFC 1421.

        OpenSSL: PEM_read_bio_X509(3), PEM_read_bio_PrivateKey(3)
        """
        cdef Credential credential
        cdef Password secret = any_password(password)
        cdef str origin = "certificates" if key is None else "key"
        cdef Octets text = octets_of_text(certificates if key is None else key, origin, TEXT)
        if text.length == 0:
            raise ValueError(f"{origin} is empty")
        credential = new_credential(parse_pem(certificates, "certificates"))
        check_known(credential)
        give_key(credential, read_key(text.data, text.length, secret, origin))
        return credential

    @classmethod
    def from_der(cls, certificates, key, *, password=None):
        """From DER: an iterable with the certificate, then those that lead to its CA, each bytes-like; and its key.

        The key is in PKCS#8, encrypted or not, in PKCS#1 or SEC 1. Since 0.1. Source: RFC 5280; RFC 5958.

        OpenSSL: d2i_X509(3), OSSL_DECODER_from_data(3)
        """
        cdef Credential credential
        cdef Password secret = any_password(password)
        cdef Octets encoding = octets_of(key, "key", DER)
        credential = from_certificates(encodings(certificates))
        give_key(credential, decode_key(encoding, secret, "key"))
        return credential

    @classmethod
    def from_pkcs12(cls, data, *, password=None):
        """From PKCS#12 (a .p12 or .pfx file): its private key, the certificate of that, and those that lead to its CA.

        Other certificates are left out. What is encrypted with RC2, as by Windows and old versions of OpenSSL, needs
        OpenSSL's legacy provider: without that it raises SSLError, which says how to encrypt it again.
        Since 0.1. Source: RFC 7292.

        OpenSSL: PKCS12_parse(3)
        """
        cdef Credential credential
        cdef Bundle bundle
        cdef Password secret = any_password(password)
        cdef Octets encoding = octets_of(data, "data", "a bytes-like object in PKCS#12 format")
        read_pkcs12(encoding, secret, &bundle)
        credential = new_credential(bundle.chain)
        give_key(credential, bundle.key)
        return credential

    @classmethod
    def from_objects(cls, certificates, key):
        """From objects of `cryptography`: a certificate, or an iterable of one and those that lead to its CA; and its
        private key.

        Certificates may also be wiretight's, and both may be pyOpenSSL's. Since 0.1. Source: `cryptography.x509`.

        OpenSSL: d2i_X509(3), OSSL_DECODER_from_data(3)
        """
        cdef Credential credential
        cdef list ders = []
        cdef bytes encoding
        if not hasattr(certificates, "__iter__"):
            certificates = (certificates,)
        for certificate in certificates:
            ders.append(certificate_der(certificate, "certificates"))
        credential = from_certificates(ders)
        encoding = key_der(key, "key")
        try:
            give_key(credential, decode_key(octets_of(encoding, "key", DER), any_password(None), "key"))
        finally:
            if Py_REFCNT(<PyObject *>encoding) == 1:    # not kept by who made it
                wipe(encoding)
        return credential

    @property
    def certificates(self):
        """The certificates as they were given, the one of the key first: a tuple of Certificate. Since 0.1.

        OpenSSL: X509_up_ref(3)
        """
        cdef list certificates = [share_certificate(self.leaf)]
        cdef int i
        for i in range(sk_X509_num(self.chain)):
            certificates.append(share_certificate(sk_X509_value(self.chain, i)))
        return tuple(certificates)

    @property
    def key_type(self):
        """OpenSSL's name for the kind of key, such as "RSA", "EC", "ED25519" or "ML-DSA-65": a context holds one
        credential of each. Since 0.1.

        OpenSSL: EVP_PKEY_get0_type_name(3)
        """
        return EVP_PKEY_get0_type_name(self.key).decode()

    cdef bint has_chain_of(self, Credential other):
        """Whether all certificates are the same, and therefore the key."""
        return self.certificates == other.certificates


cdef Credential new_credential(stack_st_X509 *certificates):
    """Without further certificates, OpenSSL builds a chain from the trusted ones. An empty chain would mean "send the
    leaf alone".
    """
    cdef Credential credential = Credential.__new__(Credential, FROM_HERE)
    credential.chain = certificates
    credential.leaf = sk_X509_shift(certificates)
    if sk_X509_num(certificates) == 0:
        credential.chain = NULL
        sk_X509_pop_free(certificates, X509_free)
    return credential


cdef int give_key(Credential credential, EVP_PKEY *key) except -1:
    """OpenSSL: X509_check_private_key(3)"""
    credential.key = key
    if X509_check_private_key(credential.leaf, key) <= 0:
        raise_queue("key values mismatch: the private key does not belong to the first certificate")
    return 0


cdef list encodings(object certificates):
    """The certificates of an iterable, so that nothing of the program runs between OpenSSL's calls."""
    if isinstance(certificates, (str, bytes, bytearray, memoryview)):
        raise TypeError("certificates must be an iterable of bytes-like objects: put the one certificate into a list")
    return list(certificates)


cdef Credential from_certificates(list ders):
    """Without a key yet.

    OpenSSL: d2i_X509(3)
    """
    cdef Credential credential
    cdef stack_st_X509 *certificates
    cdef stack_st_X509 *parsed
    cdef bint complete = True
    if not ders:
        raise ValueError("certificates is empty: it must contain the certificate of the key")
    certificates = sk_X509_new_null()
    if certificates == NULL:
        raise_queue()
    try:
        for encoding in ders:
            parsed = parse_der(encoding, "certificates")
            complete = complete and move_all(parsed, certificates)
            sk_X509_pop_free(parsed, X509_free)
        if not complete:
            raise_queue()
        credential = new_credential(certificates)
        certificates = NULL
    finally:
        sk_X509_pop_free(certificates, X509_free)
    check_known(credential)
    return credential


cdef bint move_all(stack_st_X509 *source, stack_st_X509 *target) noexcept:
    cdef X509 *certificate = sk_X509_shift(source)
    while certificate != NULL:
        if sk_X509_push(target, certificate) <= 0:
            X509_free(certificate)
            return False
        certificate = sk_X509_shift(source)
    return True


cdef int check_known(Credential credential) except -1:
    """Raises NotImplementedError or SSLError if this OpenSSL cannot use the key of the certificate.

    OpenSSL: X509_get0_pubkey(3), X509_PUBKEY_get0_param(3)
    """
    cdef ASN1_OBJECT *algorithm = NULL
    forget_errors()
    if X509_get0_pubkey(credential.leaf) != NULL:
        return 0
    cause = queue_cause()
    X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, X509_get_X509_PUBKEY(credential.leaf))
    number = object_text(algorithm, True)
    if number in NEWER_KEYS and not FEATURES["HAS_ML_DSA"]:
        raise NotImplementedError(
            f"the certificate has an {NEWER_KEYS[number]} key, which needs OpenSSL 3.5 or newer: "
            f"build wiretight with one, instead of {OPENSSL_VERSION}"
        ) from cause
    raise ssl_error(0, 0, f"the certificate has a key that {OPENSSL_VERSION} cannot use: {number}") from cause
