"""CA names: the issuers of certificates that one end names to the other (RFC 8446, 4.2.4)."""

from wiretight._core.openssl.ssl cimport stack_st_X509_NAME

cdef list encoded_names(const stack_st_X509_NAME *names)    # of bytes, DER
