"""Index: the certificates of a file, each of which is decoded when it is needed."""

from libc.stdint cimport uint32_t

from wiretight._core.base.once cimport wt_once, wt_owners
from wiretight._core.openssl.x509 cimport X509, X509_NAME


cdef struct Place:
    uint32_t at                 # in Index.der; as is the next but one
    uint32_t length
    uint32_t subject
    uint32_t subject_length
    wt_once decoded             # X509 *


cdef struct Subject:
    X509_NAME *name
    int number                  # of the certificate


# Owned by a Bundle, and by each X509_STORE that gets its certificates from it. Apart from what is set once, immutable
cdef struct Index:
    wt_owners owners
    unsigned char *der          # of all certificates
    Place *places
    int count
    wt_once subjects            # Subject *: of all certificates, sorted by name and then by number


cdef Index *index_of(bytes content) noexcept            # NULL if OpenSSL has to read it
cdef Index *shared_index(Index *index) noexcept nogil   # with another owner
cdef void drop_index(Index *index) noexcept nogil
cdef int count_decoded(Index *index) noexcept nogil     # certificates, so far

# Both are the index's. NULL: no memory, with the reason on OpenSSL's queue
cdef X509 *certificate_at(Index *index, int number) noexcept nogil
cdef const Subject *subjects_named(Index *index, const X509_NAME *name, int *count) noexcept nogil
