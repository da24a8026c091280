"""CRL: lists of revoked certificates (RFC 5280, 5), read from PEM or DER."""

from wiretight._core.openssl.x509 cimport X509_CRL, stack_st_X509_CRL


# One at least; errors name `argument`
cdef stack_st_X509_CRL *parse_crls(object data, str argument) except NULL
cdef bytes der_of_crl(X509_CRL *crl)
