"""Private keys, read from PEM and DER."""

from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.x509.octets cimport Octets
from wiretight._core.x509.password cimport Password


# Errors name `origin`
cdef EVP_PKEY *read_key(
    const unsigned char *content, Py_ssize_t length, Password password, object origin) except NULL
cdef EVP_PKEY *decode_key(Octets der, Password password, object origin) except NULL
cdef int raise_unreadable(str wanted, object origin, Password password) except -1
