"""The keys of certificate authorities that are known to be compromised."""

from wiretight._core.openssl.x509 cimport X509


cdef bytes distrusted_keys()     # their digests, one after the other
cdef bint is_distrusted(X509 *certificate) noexcept nogil
