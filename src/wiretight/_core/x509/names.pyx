"""The names in a certificate, and the extensions that contain more of them."""

from cpython.bytes cimport PyBytes_FromStringAndSize

from wiretight._core.base.errors cimport check_decoder_memory, check_memory, raise_queue
from wiretight._core.openssl.asn1 cimport (
    ASN1_OBJECT, ASN1_STRING, ASN1_STRING_get0_data, ASN1_STRING_length, ASN1_STRING_to_UTF8, ASN1_STRING_type,
    NID_crl_distribution_points, NID_info_access, NID_subject_alt_name, OBJ_obj2nid, OBJ_obj2txt, V_ASN1_BIT_STRING,
)
from wiretight._core.openssl.bio cimport BIO, BIO_free, BIO_get_mem_data, BIO_gets, BIO_new, BIO_s_mem
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.x509 cimport (
    ACCESS_DESCRIPTION, ASN1_STRFLGS_ESC_MSB, AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free, CRL_DIST_POINTS,
    CRL_DIST_POINTS_free, DIST_POINT, GENERAL_NAME, GENERAL_NAMES, GENERAL_NAMES_free, GENERAL_NAME_get0_value,
    GENERAL_NAME_print, GEN_DIRNAME, GEN_DNS, GEN_EDIPARTY, GEN_EMAIL, GEN_IPADD, GEN_OTHERNAME, GEN_RID, GEN_URI,
    GEN_X400, X509, X509_NAME, X509_NAME_ENTRY, X509_NAME_ENTRY_get_data, X509_NAME_ENTRY_get_object,
    X509_NAME_ENTRY_set, X509_NAME_entry_count, X509_NAME_get_entry, X509_NAME_print_ex, X509_get_ext_d2i,
    XN_FLAG_RFC2253, sk_ACCESS_DESCRIPTION_num, sk_ACCESS_DESCRIPTION_value, sk_DIST_POINT_num, sk_DIST_POINT_value,
    sk_GENERAL_NAME_num, sk_GENERAL_NAME_value,
)

import warnings


# --- distinguished names ---------------------------------------------------------------------------------------------
cdef tuple distinguished_name(const X509_NAME *entries):
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
    for i in range(len(parts)):
        parts[i] = tuple(parts[i])
    return tuple(parts)


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
    """The long name of an object identifier if OpenSSL knows one and `dotted` is false, otherwise "1.2.3"."""
    cdef char stack[100]
    cdef int length = OBJ_obj2txt(stack, sizeof(stack), identifier, dotted)
    if length < 0:
        raise_queue()
    if length < <int>sizeof(stack):
        return stack[:length].decode("ascii")
    cdef bytes heap = PyBytes_FromStringAndSize(NULL, length)
    if OBJ_obj2txt(<char *>heap, length + 1, identifier, dotted) != length:
        raise_queue()
    return heap.decode("ascii")


cdef str one_line(const X509_NAME *entries):
    cdef BIO *bio = memory()
    try:
        if X509_NAME_print_ex(bio, entries, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0:
            raise_queue()
        return written(bio)
    finally:
        BIO_free(bio)


# --- extensions ------------------------------------------------------------------------------------------------------
cdef enum:
    MISSING = -1        # what X509_get_ext_d2i(3) answers for an extension that is not there
    REPEATED = -2       # and for one that is there more than once


cdef int find_extension(X509 *x509, int nid, void **found) except -1:
    """Decodes an extension; NULL for one that is missing, repeated or not to be decoded, which `ssl` leaves out.

    OpenSSL: X509_get_ext_d2i(3)
    """
    cdef int critical = MISSING
    check_memory()
    found[0] = X509_get_ext_d2i(x509, nid, &critical, NULL)
    if found[0] == NULL and critical not in (MISSING, REPEATED):
        check_decoder_memory()
    return 0


cdef tuple alternative_names(X509 *x509):
    """RFC 5280, section 4.2.1.6"""
    cdef GENERAL_NAMES *names
    cdef list found = []
    cdef int i
    find_extension(x509, NID_subject_alt_name, <void **>&names)
    if names == NULL:
        return None
    try:
        for i in range(sk_GENERAL_NAME_num(names)):
            found.append(general_name(sk_GENERAL_NAME_value(names, i)))
        return tuple(found)
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
        return ("DirName", distinguished_name(<X509_NAME *>value))
    if kind == GEN_RID:
        return ("Registered ID", object_text(<ASN1_OBJECT *>value, False))
    if kind not in (GEN_OTHERNAME, GEN_X400, GEN_EDIPARTY):
        warnings.warn(f"Unknown general name type {kind}", RuntimeWarning, stacklevel=1)
    return printed_name(entry)


cdef bytes octets(void *string):
    cdef const ASN1_STRING *asn1 = <ASN1_STRING *>string
    return <bytes>ASN1_STRING_get0_data(asn1)[:ASN1_STRING_length(asn1)]


cdef str address(bytes packed):
    """IPv4 with dots; IPv6 as eight groups in upper case, never shortened."""
    cdef int i
    cdef list groups = []
    if len(packed) == 4:
        for i in range(4):
            groups.append(str(packed[i]))
        return ".".join(groups)
    if len(packed) == 16:
        for i in range(0, 16, 2):
            groups.append(f"{packed[i] << 8 | packed[i + 1]:X}")
        return ":".join(groups)
    return "<invalid>"


cdef tuple printed_name(GENERAL_NAME *entry):
    """A kind of name that `ssl` lets OpenSSL print: the text before and after its first colon."""
    cdef BIO *bio = memory()
    cdef char line[2048]
    cdef int length
    try:
        GENERAL_NAME_print(bio, entry)
        check_memory()      # it prints as much as it can
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
    cdef AUTHORITY_INFO_ACCESS *entries
    cdef ACCESS_DESCRIPTION *entry
    cdef list addresses = []
    cdef int i
    find_extension(x509, NID_info_access, <void **>&entries)
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
    cdef CRL_DIST_POINTS *points
    cdef DIST_POINT *point
    cdef GENERAL_NAMES *names
    cdef list addresses = []
    cdef int i, j
    find_extension(x509, NID_crl_distribution_points, <void **>&points)
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


# --- memory BIOs for OpenSSL to print into ---------------------------------------------------------------------------
cdef BIO *memory() except NULL:
    """OpenSSL: BIO_s_mem(3)"""
    cdef BIO *bio = BIO_new(BIO_s_mem())
    if bio == NULL:
        raise_queue()
    return bio


cdef str written(BIO *bio):
    cdef char *data = NULL
    cdef long length = BIO_get_mem_data(bio, &data)
    return data[:length].decode("utf-8")
