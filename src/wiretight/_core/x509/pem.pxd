"""PEM: reads certificates, CRLs and parameters from text."""

from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.x509 cimport X509, stack_st_X509, stack_st_X509_INFO
from wiretight._core.x509.password cimport Password


cdef bint at_end_of_pem() noexcept nogil

# Errors name `path`
cdef X509 *read_certificate(bytes content) except NULL
cdef stack_st_X509 *read_chain(bytes content, Password password, object path) except NULL
cdef EVP_PKEY *read_dh_parameters(bytes content, object path) except NULL
cdef stack_st_X509_INFO *read_entries(bytes content) except NULL

# The certificates in data of a program, at least one; errors name `argument`
cdef stack_st_X509 *parse_pem(object data, str argument) except NULL                # str or bytes-like
cdef stack_st_X509 *parse_der(object data, str argument, str expected=*) except NULL    # one after the other
cdef stack_st_X509 *parse_data(object cadata) except NULL                           # either, as `ssl` tells them apart
