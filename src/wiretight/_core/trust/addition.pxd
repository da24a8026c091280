"""Addition: certificates and CRLs, or a directory of them, that were added to a trust, and where they are from."""

from wiretight._core.openssl.x509 cimport stack_st_X509, stack_st_X509_CRL
from wiretight._core.trust.bundle cimport Bundle


cdef class Addition:
    cdef Bundle bundle          # or None
    cdef bytes directory        # that OpenSSL searches, or None
    cdef tuple origin           # how another process gets the same: see loads_of(); None for what is from memory


cdef Addition of_file(object path, str argument)
cdef Addition of_crl_file(object path)                  # PEM or DER
cdef Addition of_directory(bytes path)
cdef Addition of_default_places(Bundle bundle, bytes directory)
cdef Addition of_memory(stack_st_X509 *certificates, stack_st_X509_CRL *crls)   # NULL is an empty one
cdef Addition of_data(object certificates, object crls, str argument)           # None is an empty one
