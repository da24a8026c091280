"""The names in a certificate, and the extensions that contain more of them."""

from wiretight._core.openssl.asn1 cimport ASN1_OBJECT
from wiretight._core.openssl.bio cimport BIO
from wiretight._core.openssl.x509 cimport X509, X509_NAME

# In the format of getpeercert()'s dictionary
cdef tuple distinguished_name(const X509_NAME *entries)
cdef tuple alternative_names(X509 *x509)                # None without the extension
cdef tuple access_addresses(X509 *x509, int method)     # None without an address
cdef tuple crl_addresses(X509 *x509)                    # None without an address

cdef str one_line(const X509_NAME *entries)             # as RFC 4514 writes it
cdef str object_text(const ASN1_OBJECT *identifier, bint dotted)

# The memory BIO that OpenSSL prints text into
cdef BIO *memory() except NULL
cdef str written(BIO *bio)
