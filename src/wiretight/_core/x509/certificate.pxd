"""Certificate: one X509, and its DER, PEM and dictionary of getpeercert()."""

from wiretight._core.openssl.x509 cimport X509, stack_st_X509


cdef class Certificate:
    cdef X509 *x509


# A chain as it was when a connection was asked for it
cdef struct Chain:
    stack_st_X509 *certificates     # NULL: there is none
    bint is_starved                 # there is one, and there was no memory for another list

cdef Certificate adopt_certificate(X509 *x509)      # takes ownership of the reference
cdef Certificate share_certificate(X509 *x509)      # adds a reference of its own
cdef X509 *owned(X509 *certificate) noexcept nogil                  # adds a reference; so does the next
cdef Chain owned_chain(stack_st_X509 *chain) noexcept nogil
cdef dict decoded(X509 *x509)                       # what getpeercert() returns
cdef bytes der(X509 *x509)
cdef list chain_of(const Chain *chain)              # of Certificate; [] for none
