"""Objects: the identifiers of ASN.1, by number, by name and by OpenSSL's own number (NID)."""

from wiretight._core.openssl.asn1 cimport ASN1_OBJECT


cdef tuple described_object(const ASN1_OBJECT *identifier)
