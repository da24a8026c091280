"""PEM: certificates, CRLs, keys and parameters as text, and how they are read from it."""

from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.x509 cimport X509, stack_st_X509, stack_st_X509_INFO


cdef class Password:
    cdef object source
    cdef object error       # what stood in the way of giving it
    cdef bint is_missing    # it was needed, and there is none


# `path` is what an error names
cdef X509 *read_certificate(bytes content) except NULL
cdef stack_st_X509 *read_chain(bytes content, Password password, object path) except NULL
cdef EVP_PKEY *read_key(bytes content, Password password, object path) except NULL
cdef EVP_PKEY *read_dh_parameters(bytes content, object path) except NULL
cdef stack_st_X509_INFO *read_entries(bytes content) except NULL
cdef stack_st_X509 *parse_data(object cadata) except NULL   # in DER format too
