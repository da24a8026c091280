"""TrustStore: CA certificates and CRLs, shared by the contexts that trust them."""

from wiretight._core.context.settings cimport Trust, TrustSource
from wiretight._core.trust.addition cimport Addition


cdef class TrustStore(TrustSource):
    cdef bint frozen            # it is that of a frozen context alone

    cdef int grow(self, tuple additions) except -1


cdef TrustStore store_with(Trust trust, bint frozen)

# `before`, and Additions on top; or `before` itself, if nothing is new. How many of the certificates and CRLs are new
# goes to `added`, unless that is NULL
cdef Trust grown(Trust before, tuple additions, bint checks_crls, int *added)
cdef int complete(Trust trust) except -1        # before somebody looks at all objects of its store
cdef list certificates_of(Trust trust)
cdef bytes fingerprint_of(Trust trust)
cdef Addition default_trust()       # what OpenSSL finds by itself, or this system has
