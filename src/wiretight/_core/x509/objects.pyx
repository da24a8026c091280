"""Objects: the identifiers of ASN.1, by number, by name and by OpenSSL's own number (NID)."""

from wiretight._core.base.errors cimport check_memory, forget_errors
from wiretight._core.base.text cimport c_string, exact_text
from wiretight._core.openssl.asn1 cimport (
    ASN1_OBJECT, ASN1_OBJECT_free, NID_undef, OBJ_nid2ln, OBJ_nid2obj, OBJ_nid2sn, OBJ_obj2nid, OBJ_txt2obj,
)
from wiretight._core.x509.names cimport object_text

from operator import index


def txt2obj(txt, bint name=False):
    """(NID, short name, long name, dotted number) of an object identifier given as text.

    `txt` is a dotted number, or with `name=True` also a short or long name. Raises ValueError if OpenSSL does not know
    it. Since 0.1. Source: `ssl._ASN1Object` of the standard library.

    OpenSSL: OBJ_txt2obj(3)
    """
    cdef str text = exact_text(txt, "txt")
    cdef ASN1_OBJECT *identifier
    forget_errors()
    identifier = OBJ_txt2obj(c_string(text), not name)
    if identifier == NULL:
        check_memory()
        raise ValueError(f"unknown object '{text[:100]}'")
    try:
        return described_object(identifier)
    finally:
        ASN1_OBJECT_free(identifier)


def nid2obj(nid, /):
    """(NID, short name, long name, dotted number) of OpenSSL's object number `nid`.

    Raises ValueError for a number that OpenSSL does not know. Since 0.1. Source: `ssl._ASN1Object` of the standard
    library.

    OpenSSL: OBJ_nid2obj(3)
    """
    cdef int number = index(nid)
    if number < NID_undef:
        raise ValueError("NID must be positive.")
    forget_errors()
    cdef const ASN1_OBJECT *identifier = OBJ_nid2obj(number)
    if identifier == NULL:
        check_memory()
        raise ValueError(f"unknown NID {number}")
    return described_object(identifier)


cdef tuple described_object(const ASN1_OBJECT *identifier):
    cdef int nid = OBJ_obj2nid(identifier)
    if nid == NID_undef:
        raise ValueError("Unknown object")
    return (nid, OBJ_nid2sn(nid).decode("ascii"), OBJ_nid2ln(nid).decode("ascii"), object_text(identifier, True))
