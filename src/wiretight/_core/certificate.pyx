"""Certificate: one X509 as DER, as PEM and as the dictionary of getpeercert(); and the files that it comes from."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.limits cimport INT_MAX

from wiretight._core.errors cimport check, raise_queue
from wiretight._core.openssl.asn1 cimport (
    ASN1_INTEGER, ASN1_OBJECT, ASN1_OBJECT_free, ASN1_STRING, ASN1_STRING_get0_data, ASN1_STRING_length,
    ASN1_STRING_to_UTF8, ASN1_STRING_type, ASN1_TIME, ASN1_TIME_print, NID_ad_ca_issuers, NID_ad_OCSP,
    NID_crl_distribution_points, NID_info_access, NID_subject_alt_name, NID_undef, OBJ_nid2ln, OBJ_nid2obj, OBJ_nid2sn,
    OBJ_obj2nid, OBJ_obj2txt, OBJ_txt2obj, V_ASN1_BIT_STRING, i2a_ASN1_INTEGER,
)
from wiretight._core.openssl.bio cimport (
    BIO, BIO_free, BIO_get_mem_data, BIO_gets, BIO_new, BIO_new_mem_buf, BIO_s_mem,
)
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.pem cimport PEM_read_bio_X509, PEM_write_bio_X509
from wiretight._core.openssl.x509 cimport (
    ACCESS_DESCRIPTION, AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free, CRL_DIST_POINTS, CRL_DIST_POINTS_free,
    DIST_POINT, GEN_DIRNAME, GEN_DNS, GEN_EDIPARTY, GEN_EMAIL, GEN_IPADD, GEN_OTHERNAME, GEN_RID, GEN_URI, GEN_X400,
    GENERAL_NAME, GENERAL_NAME_get0_value, GENERAL_NAME_print, GENERAL_NAMES, GENERAL_NAMES_free, X509, X509_NAME,
    X509_NAME_ENTRY, X509_NAME_ENTRY_get_data, X509_NAME_ENTRY_get_object, X509_NAME_ENTRY_set, X509_NAME_entry_count,
    X509_NAME_get_entry, X509_NAME_print_ex, X509_cmp, X509_free, X509_get0_notAfter, X509_get0_notBefore,
    X509_get_ext_d2i, X509_get_issuer_name, X509_get_serialNumber, X509_get_subject_name, X509_get_version,
    X509_subject_name_hash, X509_up_ref, XN_FLAG_RFC2253, ASN1_STRFLGS_ESC_MSB, i2d_X509, sk_ACCESS_DESCRIPTION_num,
    sk_ACCESS_DESCRIPTION_value, sk_DIST_POINT_num, sk_DIST_POINT_value, sk_GENERAL_NAME_num, sk_GENERAL_NAME_value,
    sk_X509_num, sk_X509_value,
)

import os
import warnings

from wiretight._errors import SSLError

# The numbers of `_ssl.ENCODING_PEM` and `_ssl.ENCODING_DER`, which programs pass to public_bytes().
ENCODING_PEM = 1
ENCODING_DER = 2

# Only take_certificate() has it: a Certificate without an X509 cannot be made from Python.
cdef object FROM_OPENSSL = object()


cdef class Certificate:
    """One X.509 certificate, as the peer sent it or as the chain was built. Programs cannot make one.

    Two are equal if their DER is, whichever connection they came from.

    Since 0.1. Source: `ssl.SSLObject._sslobj.get_unverified_chain()` of the standard library; RFC 5280.
    """

    def __cinit__(self, origin=None):
        if origin is not FROM_OPENSSL:
            raise TypeError(f"cannot create {type(self).__name__!r} instances")

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

    def public_bytes(self, int format=ENCODING_PEM):
        """The certificate as PEM (str) for ENCODING_PEM, or as DER (bytes) for ENCODING_DER.

        Raises ValueError for any other format. Since 0.1.

        OpenSSL: PEM_write_bio_X509(3), i2d_X509(3)
        """
        if format == ENCODING_DER:
            return der(self.x509)
        if format == ENCODING_PEM:
            return pem(self.x509)
        raise ValueError("Unsupported format")

    def get_info(self):
        """The dictionary that getpeercert() returns for this certificate. Since 0.1.

        OpenSSL: X509_get_subject_name(3)
        """
        return decoded(self.x509)


cdef Certificate take_certificate(X509 *x509):
    cdef Certificate certificate = Certificate.__new__(Certificate, FROM_OPENSSL)
    certificate.x509 = x509
    return certificate


cdef Certificate borrow_certificate(X509 *x509):
    X509_up_ref(x509)
    return take_certificate(x509)


cdef list chain_of(stack_st_X509 *chain):
    cdef int i
    if chain == NULL:
        return []
    return [borrow_certificate(sk_X509_value(chain, i)) for i in range(sk_X509_num(chain))]


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
    cdef dict info = {
        "subject": name(X509_get_subject_name(x509)),
        "issuer": name(X509_get_issuer_name(x509)),
        "version": X509_get_version(x509) + 1,
        "serialNumber": serial(X509_get_serialNumber(x509)),
        "notBefore": time(X509_get0_notBefore(x509)),
        "notAfter": time(X509_get0_notAfter(x509)),
    }
    # An extension that is missing, or there twice, or not to be decoded, has no entry.
    for key, value in (
        ("subjectAltName", alternative_names(x509)),
        ("OCSP", access_addresses(x509, NID_ad_OCSP)),
        ("caIssuers", access_addresses(x509, NID_ad_ca_issuers)),
        ("crlDistributionPoints", crl_addresses(x509)),
    ):
        if value is not None:
            info[key] = value
    ERR_clear_error()
    return info


cdef tuple name(const X509_NAME *entries):
    """A distinguished name: a tuple of its parts, each a tuple of (type, value) pairs that belong together."""
    cdef list parts = []
    cdef X509_NAME_ENTRY *entry
    cdef int i, part = -1
    for i in range(X509_NAME_entry_count(entries)):
        entry = X509_NAME_get_entry(entries, i)
        if X509_NAME_ENTRY_set(entry) != part:
            part = X509_NAME_ENTRY_set(entry)
            parts.append([])
        (<list>parts[len(parts) - 1]).append(
            (object_text(X509_NAME_ENTRY_get_object(entry), False), value_of(X509_NAME_ENTRY_get_data(entry)))
        )
    return tuple([tuple(pairs) for pairs in parts])


cdef object value_of(const ASN1_STRING *string):
    cdef unsigned char *utf8 = NULL
    cdef int length
    if ASN1_STRING_type(string) == V_ASN1_BIT_STRING:
        return <bytes>ASN1_STRING_get0_data(string)[:ASN1_STRING_length(string)]
    length = ASN1_STRING_to_UTF8(&utf8, string)
    if length < 0:
        raise_queue()
    try:
        return (<char *>utf8)[:length].decode("utf-8")
    finally:
        OPENSSL_free(utf8)


cdef str object_text(const ASN1_OBJECT *identifier, bint dotted):
    """The long name of an object identifier where OpenSSL knows one and `dotted` is false, else "1.2.3"."""
    cdef char stack[100]
    cdef int length = OBJ_obj2txt(stack, sizeof(stack), identifier, dotted)
    if length < 0:
        raise_queue()
    if length < <int>sizeof(stack):
        return stack[:length].decode("ascii")
    cdef bytes heap = PyBytes_FromStringAndSize(NULL, length)
    OBJ_obj2txt(<char *>heap, length + 1, identifier, dotted)
    return heap.decode("ascii")


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
        check(ASN1_TIME_print(bio, moment))
        return written(bio)
    finally:
        BIO_free(bio)


cdef str one_line(const X509_NAME *entries):
    cdef BIO *bio = memory()
    try:
        if X509_NAME_print_ex(bio, entries, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0:
            raise_queue()
        return written(bio)
    finally:
        BIO_free(bio)


# --- extensions ------------------------------------------------------------------------------------------------------
cdef tuple alternative_names(X509 *x509):
    """RFC 5280, section 4.2.1.6"""
    cdef GENERAL_NAMES *names = <GENERAL_NAMES *>X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL)
    cdef int i
    if names == NULL:
        return None
    try:
        return tuple([general_name(sk_GENERAL_NAME_value(names, i)) for i in range(sk_GENERAL_NAME_num(names))])
    finally:
        GENERAL_NAMES_free(names)


cdef tuple general_name(GENERAL_NAME *entry):
    cdef int kind
    cdef void *value = GENERAL_NAME_get0_value(entry, &kind)
    if kind == GEN_DNS:
        return ("DNS", octets(value).decode("utf-8"))
    if kind == GEN_IPADD:
        return ("IP Address", address(octets(value)))
    if kind == GEN_URI:
        return ("URI", octets(value).decode("utf-8"))
    if kind == GEN_EMAIL:
        return ("email", octets(value).decode("utf-8"))
    if kind == GEN_DIRNAME:
        return ("DirName", name(<X509_NAME *>value))
    if kind == GEN_RID:
        return ("Registered ID", object_text(<ASN1_OBJECT *>value, False))
    if kind not in (GEN_OTHERNAME, GEN_X400, GEN_EDIPARTY):
        warnings.warn(f"Unknown general name type {kind}", RuntimeWarning, stacklevel=1)
    return printed_name(entry)


cdef bytes octets(void *string):
    cdef const ASN1_STRING *held = <ASN1_STRING *>string
    return <bytes>ASN1_STRING_get0_data(held)[:ASN1_STRING_length(held)]


cdef str address(bytes packed):
    """IPv4 with dots; IPv6 as eight groups in upper case, never shortened."""
    if len(packed) == 4:
        return ".".join([str(octet) for octet in packed])
    if len(packed) == 16:
        return ":".join([f"{packed[i] << 8 | packed[i + 1]:X}" for i in range(0, 16, 2)])
    return "<invalid>"


cdef tuple printed_name(GENERAL_NAME *entry):
    """A kind of name that `ssl` leaves to OpenSSL's printing: what stands before and after its first colon."""
    cdef BIO *bio = memory()
    cdef char line[2048]
    cdef int length
    try:
        GENERAL_NAME_print(bio, entry)
        length = BIO_gets(bio, line, sizeof(line))
        if length < 0:
            raise_queue()
        kind, colon, value = line[:length].decode("utf-8").partition(":")
    finally:
        BIO_free(bio)
    if not colon:
        raise ValueError(f"Invalid value {kind[:200]}")
    return (kind, value)


cdef tuple access_addresses(X509 *x509, int method):
    """RFC 5280, section 4.2.2.1"""
    cdef AUTHORITY_INFO_ACCESS *entries = <AUTHORITY_INFO_ACCESS *>X509_get_ext_d2i(x509, NID_info_access, NULL, NULL)
    cdef ACCESS_DESCRIPTION *entry
    cdef list addresses = []
    cdef int i
    if entries == NULL:
        return None
    try:
        for i in range(sk_ACCESS_DESCRIPTION_num(entries)):
            entry = sk_ACCESS_DESCRIPTION_value(entries, i)
            if OBJ_obj2nid(entry.method) == method:
                append_address(addresses, entry.location)
    finally:
        AUTHORITY_INFO_ACCESS_free(entries)
    return tuple(addresses) or None


cdef tuple crl_addresses(X509 *x509):
    """RFC 5280, section 4.2.1.13"""
    cdef CRL_DIST_POINTS *points = <CRL_DIST_POINTS *>X509_get_ext_d2i(x509, NID_crl_distribution_points, NULL, NULL)
    cdef DIST_POINT *point
    cdef GENERAL_NAMES *names
    cdef list addresses = []
    cdef int i, j
    if points == NULL:
        return None
    try:
        for i in range(sk_DIST_POINT_num(points)):
            point = sk_DIST_POINT_value(points, i)
            # Without a name, or with one relative to the issuer's, a point has no address (python/cpython#79751).
            if point.distpoint == NULL or point.distpoint.type != 0:
                continue
            names = point.distpoint.fullname
            for j in range(sk_GENERAL_NAME_num(names)):
                append_address(addresses, sk_GENERAL_NAME_value(names, j))
    finally:
        CRL_DIST_POINTS_free(points)
    return tuple(addresses) or None


cdef int append_address(list addresses, const GENERAL_NAME *entry) except -1:
    cdef int kind
    cdef void *value = GENERAL_NAME_get0_value(entry, &kind)
    if kind == GEN_URI:
        addresses.append(octets(value).decode("utf-8"))
    return 0


# --- memory BIOs, which OpenSSL prints into ----------------------------------------------------------------------------
cdef BIO *memory() except NULL:
    """OpenSSL: BIO_s_mem(3)"""
    cdef BIO *bio = BIO_new(BIO_s_mem())
    if bio == NULL:
        raise_queue()
    return bio


cdef BIO *reading(const unsigned char *content, Py_ssize_t length) except NULL:
    """OpenSSL: BIO_new_mem_buf(3)"""
    cdef BIO *bio
    if length > INT_MAX:
        raise OverflowError("OpenSSL takes no more than 2 GiB of certificate data")
    bio = BIO_new_mem_buf(content, <int>length)
    if bio == NULL:
        raise_queue()
    return bio


cdef str written(BIO *bio):
    cdef char *data = NULL
    cdef long length = BIO_get_mem_data(bio, &data)
    return data[:length].decode("utf-8")


# --- files -------------------------------------------------------------------------------------------------------------
cdef bytes path_of(object path, str argument):
    try:
        encoded = os.fsencode(path)
    except TypeError:
        if argument is None:
            raise
        raise TypeError(f"{argument} should be a valid filesystem path") from None
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded


cdef bytes file_content(object path, str argument):
    path_of(path, argument)     # open() would take a file descriptor too
    with open(path, "rb") as file:
        return file.read()


# --- functions of `_ssl` -----------------------------------------------------------------------------------------------
def test_decode_cert(path, /):
    """What getpeercert() would return for the first certificate of a PEM file.

    Raises SSLError if there is none or the file cannot be opened. Since 0.1. Source: `_ssl._test_decode_cert` of the
    standard library, which servers use to read their own certificate.

    OpenSSL: PEM_read_bio_X509(3)
    """
    cdef bytes content
    cdef BIO *bio
    cdef X509 *x509
    try:
        content = file_content(path, None)
    except OSError as error:
        raise SSLError("Can't open file") from error
    bio = reading(content, len(content))
    try:
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL)
    finally:
        BIO_free(bio)
    if x509 == NULL:
        ERR_clear_error()
        raise SSLError("Error decoding PEM-encoded file")
    try:
        return decoded(x509)
    finally:
        X509_free(x509)


def txt2obj(str txt not None, bint name=False):
    """(NID, short name, long name, dotted number) of an object identifier given as text.

    `txt` is a dotted number, or with `name=True` also a short or long name. Raises ValueError for one that OpenSSL does
    not know. Since 0.1. Source: `ssl._ASN1Object` of the standard library.

    OpenSSL: OBJ_txt2obj(3)
    """
    cdef bytes encoded = txt.encode()
    if b"\0" in encoded:
        raise ValueError("embedded null character")
    cdef ASN1_OBJECT *identifier = OBJ_txt2obj(encoded, not name)
    if identifier == NULL:
        ERR_clear_error()
        raise ValueError(f"unknown object '{txt[:100]}'")
    try:
        return described_object(identifier)
    finally:
        ASN1_OBJECT_free(identifier)


def nid2obj(int nid, /):
    """(NID, short name, long name, dotted number) of OpenSSL's object number `nid`.

    Raises ValueError for a number that OpenSSL does not know. Since 0.1. Source: `ssl._ASN1Object` of the standard
    library.

    OpenSSL: OBJ_nid2obj(3)
    """
    if nid < NID_undef:
        raise ValueError("NID must be positive.")
    cdef const ASN1_OBJECT *identifier = OBJ_nid2obj(nid)
    if identifier == NULL:
        ERR_clear_error()
        raise ValueError(f"unknown NID {nid}")
    return described_object(identifier)


cdef tuple described_object(const ASN1_OBJECT *identifier):
    cdef int nid = OBJ_obj2nid(identifier)
    if nid == NID_undef:
        raise ValueError("Unknown object")
    return (nid, OBJ_nid2sn(nid).decode("ascii"), OBJ_nid2ln(nid).decode("ascii"), object_text(identifier, True))
