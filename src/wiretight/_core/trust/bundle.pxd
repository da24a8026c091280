"""Bundle: certificates and CRLs that were loaded together, decoded once and shared by all that trust them."""

from wiretight._core.openssl.x509 cimport X509_STORE, stack_st_X509, stack_st_X509_CRL, stack_st_X509_INFO
from wiretight._core.trust.index cimport Index


cdef class Bundle:
    cdef X509_STORE *decoded    # each certificate and CRL once; never verified with or changed. NULL: not needed yet
    cdef Index *index           # of the certificates, of which each can be decoded by itself; or NULL
    cdef frozenset digests      # of them, once somebody has asked

    cdef X509_STORE *store(self) except NULL
    cdef frozenset fingerprints(self)
    cdef bint has_crls(self) noexcept
    cdef tuple encodings(self)  # (the certificates, the CRLs) in DER, each one after the other, or None without any


cdef X509_STORE *new_store() noexcept nogil

# Errors are on OpenSSL's queue. The lists stay the caller's; NULL is an empty one
cdef X509_STORE *store_of(stack_st_X509_INFO *entries) noexcept nogil
cdef Bundle bundle_of(stack_st_X509 *certificates, stack_st_X509_CRL *crls)

cdef int add_objects(X509_STORE *source, X509_STORE *store) except -1
